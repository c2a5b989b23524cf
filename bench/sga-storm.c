// SPDX-License-Identifier: PostgreSQL
/*
 * sga-storm.c - a shared object as large as a database's, and as many processes as have brought one down.
 *
 * The parent writes one word in each stride of the object, then forks.  Each process reads and checks all of
 * these words and stays until the last is through, as the backends of a server stay.  On a stock kernel each
 * needs page tables of its own for that, 600 MB for 300 GB: this program watches MemAvailable and ends the storm
 * before the kernel's OOM killer would.  A process is let in only if memory is left for what those still reading
 * may come to need, so that no number of processors is fast enough to run past the limit.
 *
 * Everything that processes tell each other is in one small shared page.  All processes wait at the read end of
 * one pipe; when its write end is closed, by the parent or by the parent's death, they end.
 */
#include "storm.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STATUS_LIMIT	3
/* Strides after which a process looks whether it is to stop. */
#define LOOK_EVERY	1024
#define POLL_NS		20000000
#define REPORT_SECONDS	5
/* What a process takes besides: stacks, pages of its own, pages that processors keep for themselves. */
#define BESIDES		UINT64_C(0x200000)

struct board {
	atomic_uint reached;	/* processes that have read all */
	atomic_uint wrong;	/* words that were not what was written */
	atomic_bool stop;
};

struct storm {
	struct storm_options options;
	struct board *board;
	uint64_t *words;
	uint64_t strides;
	uint64_t cost;		/* what a process may need in page tables */
	uint64_t baseline;	/* PageTables before all this */
	double start;
	double reported;
	unsigned int forked;
	unsigned int ended;	/* processes that ended before their time */
	pid_t *pids;
	int pipe[2];
	FILE *samples;
};

static volatile sig_atomic_t ended_by;

static void on_signal(int signum)
{
	ended_by = signum;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* What is in the word of a stride; no two are the same. */
static uint64_t expected(uint64_t stride)
{
	return (stride + 1) * UINT64_C(0x9E3779B97F4A7C15);
}

static uint64_t available(void)
{
	return storm_meminfo("MemAvailable");
}

static uint64_t page_tables(const struct storm *storm)
{
	uint64_t all = storm_meminfo("PageTables");

	return all > storm->baseline ? all - storm->baseline : 0;
}

static void sample(struct storm *storm, bool report)
{
	double seconds = now() - storm->start;
	unsigned int reached = atomic_load(&storm->board->reached);
	uint64_t tables = page_tables(storm), left = available();

	if (storm->samples)
		fprintf(storm->samples, "%.2f\t%u\t%llu\t%llu\n", seconds, reached, (unsigned long long)tables,
			(unsigned long long)left);
	if (!report)
		return;
	storm->reported = seconds;
	printf("%8.1f s  %5u of %u processes  page tables %8s  available %8s\n", seconds, reached,
	       storm->options.procs, storm_size(tables), storm_size(left));
	fflush(stdout);
}

/* What a process may need, its page tables and the rest. */
static uint64_t needs(const struct storm *storm)
{
	return storm->cost + BESIDES;
}

/* --- a process ----------------------------------------------------------------------------------------------- */

static void read_all(struct storm *storm)
{
	uint64_t step = storm->options.stride / sizeof(*storm->words);
	volatile const uint64_t *words = storm->words;

	for (uint64_t i = 0; i < storm->strides; i++) {
		if (i % LOOK_EVERY == 0 && atomic_load(&storm->board->stop))
			return;
		if (words[i * step] != expected(i))
			atomic_fetch_add(&storm->board->wrong, 1);
	}
	atomic_fetch_add(&storm->board->reached, 1);
}

/* If the OOM killer comes after all, it shall take one of us and nobody else. */
static void volunteer(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, "1000", 4) < 0)
		fputs("sga-storm: cannot offer a process to the OOM killer\n", stderr);
	close(fd);
}

_Noreturn static void be_process(struct storm *storm, pid_t parent)
{
	sigset_t none;
	char byte;

	signal(SIGINT, SIG_IGN);	/* a ^C is for the parent, whose end is ours */
	signal(SIGTERM, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	close(storm->pipe[1]);
	volunteer();
	read_all(storm);
	while (read(storm->pipe[0], &byte, 1) < 0 && errno == EINTR)
		;
	_exit(0);
}

/* --- the parent ---------------------------------------------------------------------------------------------- */

static void start_process(struct storm *storm)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0)
		be_process(storm, parent);
	if (pid < 0)
		storm_die(2, "fork after %u processes: %s; are ulimit -u and kernel.pid_max large enough?",
			  storm->forked, strerror(errno));
	storm->pids[storm->forked++] = pid;
}

/* Nobody leaves before the end, unless somebody killed it. */
static void look_for_the_dead(struct storm *storm)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		storm->ended++;
		if (WIFSIGNALED(status))
			fprintf(stderr, "sga-storm: process %d was killed by signal %d (%s)\n", (int)pid,
				WTERMSIG(status), strsignal(WTERMSIG(status)));
		else
			fprintf(stderr, "sga-storm: process %d ended with status %d\n", (int)pid,
				WEXITSTATUS(status));
	}
}

/* Processes that are still reading, and what they may yet take. */
static unsigned int reading(const struct storm *storm)
{
	return storm->forked - atomic_load(&storm->board->reached);
}

static bool may_start(const struct storm *storm)
{
	return storm->forked < storm->options.procs && reading(storm) < storm->options.jobs &&
	       available() > storm->options.reserve + (reading(storm) + 1) * needs(storm);
}

/* Nothing moves any more, or it must not. */
static bool over(const struct storm *storm)
{
	if (ended_by || storm->ended || available() < storm->options.reserve)
		return true;
	return reading(storm) == 0 && !may_start(storm);
}

static void run(struct storm *storm)
{
	const struct timespec pause = { .tv_nsec = POLL_NS };
	unsigned int sampled = 0;

	while (!over(storm)) {
		if (may_start(storm))
			start_process(storm);
		else
			nanosleep(&pause, NULL);
		look_for_the_dead(storm);
		if (now() - storm->start - storm->reported >= REPORT_SECONDS)
			sample(storm, true);
		else if (atomic_load(&storm->board->reached) != sampled)
			sample(storm, false);
		sampled = atomic_load(&storm->board->reached);
	}
	atomic_store(&storm->board->stop, true);
}

/* How it ended, in a word. */
static const char *outcome(const struct storm *storm)
{
	if (ended_by)
		return "interrupted";
	if (storm->ended || atomic_load(&storm->board->wrong))
		return "failed";
	return atomic_load(&storm->board->reached) == storm->options.procs ? "finished" : "limit";
}

static void write_json(const struct storm *storm, const struct storm_region *region, uint64_t tables,
		       uint64_t vmpte, uint64_t left)
{
	const struct storm_options *options = &storm->options;
	FILE *file = fopen(options->json, "we");

	if (!file)
		storm_die(1, "--json: cannot write \"%s\": %s", options->json, strerror(errno));
	fprintf(file, "{\"schema\": 1, \"outcome\": \"%s\", \"type\": \"%s\", \"backend\": \"%s\",\n"
		" \"size_bytes\": %llu, \"stride_bytes\": %llu, \"procs\": %u, \"reached\": %u, \"wrong_words\": %u,\n",
		outcome(storm), storm_type_name(options->type), region->backend,
		(unsigned long long)options->size, (unsigned long long)options->stride, options->procs,
		atomic_load(&storm->board->reached), atomic_load(&storm->board->wrong));
	fprintf(file, " \"page_tables_bytes\": %llu, \"processes_vmpte_bytes\": %llu, \"region_page_table_bytes\": %llu,\n"
		" \"process_needs_bytes\": %llu, \"all_need_bytes\": %llu,\n",
		(unsigned long long)tables, (unsigned long long)vmpte, (unsigned long long)region->page_table_bytes,
		(unsigned long long)storm->cost, (unsigned long long)storm->cost * options->procs);
	fprintf(file, " \"mem_total_bytes\": %llu, \"mem_available_bytes\": %llu, \"reserve_bytes\": %llu,"
		" \"seconds\": %.2f}\n",
		(unsigned long long)storm_meminfo("MemTotal"), (unsigned long long)left,
		(unsigned long long)options->reserve, now() - storm->start);
	if (fclose(file))
		storm_die(1, "--json: cannot write \"%s\": %s", options->json, strerror(errno));
}

static void say_result(const struct storm *storm, const struct storm_region *region, uint64_t tables,
		       uint64_t vmpte, uint64_t left)
{
	unsigned int reached = atomic_load(&storm->board->reached), procs = storm->options.procs;

	if (reached == procs)
		printf("All %u processes have read all of %s", procs, storm_size(storm->options.size));
	else
		printf("%s: %u of %u processes have read all of %s",
		       strcmp(outcome(storm), "limit") ? outcome(storm) : "Stopped at the limit of memory", reached,
		       procs, storm_size(storm->options.size));
	printf(" after %.1f s.\n", now() - storm->start);
	printf("Page tables of this machine: %s; of the processes, %s; shared by all of them, %s.\n",
	       storm_size(tables), storm_size(vmpte), storm_size(region->page_table_bytes));
	printf("Available: %s, of which %s were to be left alone.\n", storm_size(left),
	       storm_size(storm->options.reserve));
	if (strcmp(region->backend, "msharefs"))
		printf("All %u processes would need %s of page tables, %s each.\n", procs,
		       storm_size(storm->cost * procs), storm_size(storm->cost));
	if (atomic_load(&storm->board->wrong))
		printf("%u words were not what was written to them.\n", atomic_load(&storm->board->wrong));
}

/* While all processes are still there. */
static void take_stock(struct storm *storm)
{
	struct storm_region region;
	uint64_t vmpte = 0, tables, left;

	storm_refresh_counters();
	sample(storm, true);
	tables = page_tables(storm);
	left = available();
	for (unsigned int i = 0; i < storm->forked; i++)
		vmpte += storm_vmpte(storm->pids[i]);
	storm_region(storm->words, &region);
	say_result(storm, &region, tables, vmpte, left);
	if (storm->options.json)
		write_json(storm, &region, tables, vmpte, left);
}

static void end_all(struct storm *storm)
{
	close(storm->pipe[1]);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
}

/* Refuse what would not even hold the object's own pages. */
static void check_memory(const struct storm *storm)
{
	uint64_t data = storm->strides * sysconf(_SC_PAGESIZE), left = available();
	uint64_t needed = data + 2 * needs(storm) + storm->options.reserve;

	if (left < needed)
		storm_die(2, "%s available, %s needed: %s for a page of each stride, %s for each of two "
			  "processes, %s left alone; use a smaller --size or --reserve, or a larger --stride",
			  storm_size(left), storm_size(needed), storm_size(data), storm_size(needs(storm)),
			  storm_size(storm->options.reserve));
}

static void on_sigbus(int signum)
{
	static const char text[] = "sga-storm: the filesystem of --dir is full\n";

	(void)signum;
	_exit(write(STDERR_FILENO, text, sizeof(text) - 1) < 0 ? 1 : 2);
}

static void write_words(struct storm *storm)
{
	uint64_t step = storm->options.stride / sizeof(*storm->words);

	signal(SIGBUS, on_sigbus);
	for (uint64_t i = 0; i < storm->strides && !ended_by; i++)
		storm->words[i * step] = expected(i);
	signal(SIGBUS, SIG_DFL);
}

static void prepare(struct storm *storm)
{
	const struct storm_options *options = &storm->options;
	const struct sigaction action = { .sa_handler = on_signal };

	storm->strides = options->size / options->stride;
	storm->cost = storm_page_tables(options->size, options->stride);
	check_memory(storm);
	storm_refresh_counters();
	storm->baseline = storm_meminfo("PageTables");
	storm->pids = calloc(options->procs, sizeof(*storm->pids));
	storm->board = mmap(NULL, sizeof(*storm->board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!storm->pids || storm->board == MAP_FAILED || pipe2(storm->pipe, O_CLOEXEC))
		storm_die(1, "cannot begin: %s", strerror(errno));
	if (options->samples && !(storm->samples = fopen(options->samples, "we")))
		storm_die(2, "--samples: cannot write \"%s\": %s", options->samples, strerror(errno));
	if (storm->samples)
		fputs("seconds\tprocesses\tpage_tables_bytes\tmem_available_bytes\n", storm->samples);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}

static int status_of(const struct storm *storm)
{
	if (ended_by)
		return 128 + ended_by;
	if (storm->ended || atomic_load(&storm->board->wrong))
		return 1;
	return atomic_load(&storm->board->reached) == storm->options.procs ? 0 : STATUS_LIMIT;
}

int main(int argc, char **argv)
{
	static struct storm storm;

	storm_parse(argc, argv, &storm.options);
	if (storm.options.dry_run)
		return 0;
	prepare(&storm);
	printf("%u processes, %s of shared memory (%s), one word in each %s of it; %s available.\n",
	       storm.options.procs, storm_size(storm.options.size), storm_type_name(storm.options.type),
	       storm_size(storm.options.stride), storm_size(available()));
	fflush(stdout);
	storm.start = now();
	storm.words = storm_object(&storm.options);
	write_words(&storm);
	run(&storm);
	take_stock(&storm);
	end_all(&storm);
	if (storm.samples && fclose(storm.samples))
		storm_die(1, "--samples: cannot write \"%s\": %s", storm.options.samples, strerror(errno));
	return status_of(&storm);
}
