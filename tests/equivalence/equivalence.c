/* SPDX-License-Identifier: PostgreSQL */
/*
 * equivalence.c - the same random sequences of memory calls with and without the library, and a comparison.
 *
 * Starts itself twice, once under the library.  Each of the two runs all sequences and reports a hash of what it
 * observed in each.  Where the hashes differ both run that sequence again, in words, and the first
 * difference is shown.  See --help.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run.h"
#include "worker.h"

struct options {
	const char *library;
	const char *backend;
	const char *min_size;
	const char *log;		/* MSHARE_LOG of the one under the library */
	const char *files;
	uint64_t seed;
	uint64_t sequences;
	uint64_t redirected;		/* the library must have redirected so many */
	bool verbose;
	bool control;
	const char *tolerate;
};

static struct options options = { .min_size = "8kB", .log = "error", .files = "/dev/shm", .seed = 1,
				  .sequences = 1000, .tolerate = "" };

static const char usage[] =
	"Usage: equivalence --library FILE [OPTION...]\n"
	"Run random sequences of memory calls with and without the preload library FILE, and compare what is observed.\n"
	"\n"
	"  --sequences N     how many (1000)\n"
	"  --seed S          of the first sequence; the next ones count up from it (1)\n"
	"  --backend WORD    MSHARE_BACKEND for the library\n"
	"  --min-size SIZE   MSHARE_MIN_SIZE for the library (8kB)\n"
	"  --files DIR       where to make files to map (/dev/shm)\n"
	"  --tolerate LIST   do not compare these, separated by commas:\n"
	"                    residency    how many pages mincore() tells: huge pages come many at once\n"
	"                    remap-file-pages  may meet vmas that only MADV_HUGEPAGE keeps from being one (not called)\n"
	"                    fault-codes  si_code of SIGSEGV: in msharefs' windows, around a read-only view, a write to\n"
	"                                 where nothing is gets SEGV_ACCERR\n"
	"                    last-pid     whether shm_lpid is ours: making a mapping ordinary moves an attach\n"
	"                    huge-pages   segments, and after a fork what anonymous memory there was, get only calls on all of\n"
	"                                 a mapping, and none that moves, grows or locks it; segments are attached where the\n"
	"                                 kernel likes, without SHM_EXEC, and not locked\n"
	"  --redirected N    fail if the library redirected fewer mappings than N (0)\n"
	"  --log LEVEL       MSHARE_LOG for the library (error)\n"
	"  --control         neither has the library: what differs now is not its fault\n"
	"  --verbose         print what both observe in the one sequence of --seed\n"
	"  --help            this text\n"
	"\n"
	"Exit status: 0 all the same, 1 a difference or a crash, 2 wrong use.\n";

/* A process that runs sequences. */
struct worker {
	const char *name;
	bool preloaded;
	pid_t pid;
	FILE *output;
	int status;
	int segments_left;
};

/* A signal that ends the comparison, and whom it has to end as well: both workers, with the children that they have. */
static volatile sig_atomic_t ended_by;
static volatile pid_t running[2];

static void on_signal(int signum)
{
	ended_by = signum;
	for (size_t i = 0; i < sizeof(running) / sizeof(running[0]); i++)
		if (running[i] > 0)
			kill(-running[i], SIGKILL);
}

static void replace(pid_t old, pid_t new)
{
	for (size_t i = 0; i < sizeof(running) / sizeof(running[0]); i++)
		if (running[i] == old) {
			running[i] = new;
			return;
		}
}

/* What was read of a worker then ends, and all else goes its ordinary way. */
static void catch_signals(void)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}

static void set_environment(const struct worker *worker)
{
	static const char *const names[] = { "LD_PRELOAD", "MSHARE_BACKEND", "MSHARE_MIN_SIZE", "MSHARE_LOG" };
	const char *values[] = { options.library, options.backend, options.min_size, options.log };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (worker->preloaded && values[i] != NULL)
			setenv(names[i], values[i], 1);
		else
			unsetenv(names[i]);
	}
}

/* In the child: never returns. */
static void become_worker(const struct worker *worker, uint64_t seed, uint64_t count, bool verbose)
{
	char first[32], number[32];
	const char *arguments[] = { "equivalence", "--worker", first, number, verbose ? "verbose" : "hashes",
				    options.tolerate, options.files, NULL };

	snprintf(first, sizeof(first), "%lu", seed);
	snprintf(number, sizeof(number), "%lu", count);
	set_environment(worker);
	execv("/proc/self/exe", (char **)arguments);
	_exit(127);
}

static void worker_start(struct worker *worker, uint64_t seed, uint64_t count, bool verbose)
{
	int ends[2];

	/* Not for the other worker too: a reader that is left would keep this one waiting, instead of breaking its pipe. */
	if (pipe2(ends, O_CLOEXEC) != 0) {
		perror("pipe");
		exit(1);
	}
	fflush(stdout);
	worker->pid = fork();
	setpgid(worker->pid, worker->pid);
	if (worker->pid == 0) {
		if (ends[1] == WORKER_FD)
			fcntl(WORKER_FD, F_SETFD, 0);
		else
			dup2(ends[1], WORKER_FD);
		become_worker(worker, seed, count, verbose);
	}
	replace(0, worker->pid);
	close(ends[1]);
	worker->output = fdopen(ends[0], "r");
}

/* Segments that a process made and did not remove, as one does that crashed; how many there were. */
static int remove_segments(pid_t creator)
{
	struct shmid_ds segment;
	int last = shmctl(0, SHM_INFO, &segment), count = 0;

	for (int i = 0; i <= last; i++) {
		int id = shmctl(i, SHM_STAT, &segment);

		if (id >= 0 && segment.shm_cpid == creator)
			count += shmctl(id, IPC_RMID, NULL) == 0;
	}
	return count;
}

/* Also one that has not finished: its pipe breaks. */
static void worker_end(struct worker *worker)
{
	fclose(worker->output);
	waitpid(worker->pid, &worker->status, 0);
	replace(worker->pid, 0);
	worker->segments_left = remove_segments(worker->pid);
}

static void tell_end(const struct worker *worker)
{
	if (WIFSIGNALED(worker->status))
		printf("%s: killed by %s\n", worker->name, strsignal(WTERMSIG(worker->status)));
	else if (WIFEXITED(worker->status) && WEXITSTATUS(worker->status) != 0)
		printf("%s: exit status %d\n", worker->name, WEXITSTATUS(worker->status));
	if (worker->segments_left > 0)
		printf("%s: left %d segments\n", worker->name, worker->segments_left);
}

/*
 * Prints what both observed in a sequence, up to and with the first difference.  True: there is one.
 */
static bool replay(uint64_t seed, bool all)
{
	struct worker plain = { .name = "plain" }, preloaded = { .name = "preloaded", .preloaded = !options.control };
	char *lines[2] = { NULL, NULL };
	size_t sizes[2] = { 0, 0 };
	bool different = false;

	worker_start(&plain, seed, 1, true);
	worker_start(&preloaded, seed, 1, true);
	while (!different) {
		ssize_t left = getline(&lines[0], &sizes[0], plain.output);
		ssize_t right = getline(&lines[1], &sizes[1], preloaded.output);

		if (left < 0 && right < 0)
			break;
		different = left < 0 || right < 0 || strcmp(lines[0], lines[1]) != 0;
		if (!different)
			printf("  %s", lines[0]);
		else
			printf("plain:     %spreloaded: %s", left < 0 ? "(end)\n" : lines[0],
			       right < 0 ? "(end)\n" : lines[1]);
	}
	free(lines[0]);
	free(lines[1]);
	worker_end(&plain);
	worker_end(&preloaded);
	if (different || all) {
		tell_end(&plain);
		tell_end(&preloaded);
	}
	return different;
}

/* What both observed then, which need not come again: the line where they part, and what led there. */
static void tell_observed(const char *left, const char *right)
{
	size_t same = 0, start;

	while (left[same] != '\0' && left[same] == right[same])
		same++;
	for (start = same; start > 0 && left[start - 1] != '\n'; start--)
		;
	printf("%.*splain:     %.*s\npreloaded: %.*s\n", (int)start, left,
	       (int)strcspn(left + start, "\n"), left + start,
	       (int)strcspn(right + start, "\n"), right + start);
}

static void tell_difference(uint64_t seed, const char *left, const char *right)
{
	printf("sequence %lu differs:\n", seed);
	tell_observed(left, right);
	printf("again, alone:\n");
	if (!replay(seed, false))
		printf("sequence %lu is the same when it runs alone: what differs depends on those before it, from --seed %lu on\n",
		       seed, options.seed);
}

/* False: the worker ended early.  *text is the caller's to free. */
static bool next(struct worker *worker, struct worker_record *record, char **text)
{
	free(*text);
	*text = NULL;
	if (fread(record, sizeof(*record), 1, worker->output) != 1)
		return false;
	*text = calloc(1, record->length + 1);
	return *text != NULL && fread(*text, 1, record->length, worker->output) == record->length;
}

/* After the last sequence: did the library act at all? */
static bool acted(struct worker *preloaded)
{
	struct worker_totals totals;

	if (fread(&totals, sizeof(totals), 1, preloaded->output) != 1) {
		printf("preloaded: no totals\n");
		return false;
	}
	printf("# redirected %lu, fallback %lu, demoted %lu, still attached %lu\n", totals.redirected, totals.fallback,
	       totals.demoted, totals.attached);
	if (totals.attached != 0)
		printf("the library still has %lu attachments, though everything was unmapped\n", totals.attached);
	if (totals.redirected < options.redirected)
		printf("the library redirected %lu mappings, at least %lu expected\n", totals.redirected,
		       options.redirected);
	return totals.attached == 0 && totals.redirected >= options.redirected;
}

static bool compare(void)
{
	struct worker plain = { .name = "plain" }, preloaded = { .name = "preloaded", .preloaded = !options.control };
	struct worker_record left = { 0 }, right = { 0 };
	char *texts[2] = { NULL, NULL };
	bool same = true;
	uint64_t i;

	worker_start(&plain, options.seed, options.sequences, false);
	worker_start(&preloaded, options.seed, options.sequences, false);
	for (i = 0; i < options.sequences && same && !ended_by; i++)
		same = next(&plain, &left, &texts[0]) && next(&preloaded, &right, &texts[1]) && left.hash == right.hash;
	if (same && !ended_by)
		same = acted(&preloaded);
	else
		i--;
	worker_end(&plain);
	worker_end(&preloaded);
	tell_end(&plain);
	tell_end(&preloaded);
	if (i < options.sequences && !ended_by)
		tell_difference(options.seed + i, texts[0] ? texts[0] : "", texts[1] ? texts[1] : "");
	free(texts[0]);
	free(texts[1]);
	return same && preloaded.status == 0 && plain.status == 0 && preloaded.segments_left == 0;
}

static void wrong(const char *what, const char *value, const char *expected)
{
	fprintf(stderr, "equivalence: %s '%s' makes no sense; expected %s\n", what, value, expected);
	exit(2);
}

static uint64_t number(const char *name, const char *text)
{
	char *end;
	uint64_t value;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end != '\0' || errno != 0)
		wrong(name, text, "a number");
	return value;
}

static void set_option(int option, const char *value)
{
	switch (option) {
	case 'n': options.sequences = number("--sequences", value); break;
	case 's': options.seed = number("--seed", value); break;
	case 'r': options.redirected = number("--redirected", value); break;
	case 'l': options.library = value; break;
	case 'b': options.backend = value; break;
	case 'm': options.min_size = value; break;
	case 'f': options.files = value; break;
	case 'L': options.log = value; break;
	case 'v': options.verbose = true; break;
	case 'c': options.control = true; break;
	case 't': options.tolerate = value; break;
	case 'h': fputs(usage, stdout); exit(0);
	default: exit(2);
	}
}

static void read_options(int argc, char **argv)
{
	static const struct option names[] = {
		{ "sequences", required_argument, NULL, 'n' }, { "seed", required_argument, NULL, 's' },
		{ "redirected", required_argument, NULL, 'r' }, { "library", required_argument, NULL, 'l' },
		{ "backend", required_argument, NULL, 'b' }, { "min-size", required_argument, NULL, 'm' },
		{ "files", required_argument, NULL, 'f' }, { "log", required_argument, NULL, 'L' },
		{ "verbose", no_argument, NULL, 'v' }, { "tolerate", required_argument, NULL, 't' },
		{ "control", no_argument, NULL, 'c' }, { "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 } };
	int option;

	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1)
		set_option(option, optarg);
	if (optind < argc)
		wrong("argument", argv[optind], "options only");
	if (options.library == NULL || access(options.library, R_OK) != 0)
		wrong("--library", options.library ? options.library : "", "the path of libmshare_preload.so");
	if (!tolerances_known(options.tolerate))
		wrong("--tolerate", options.tolerate, "a list of residency, remap-file-pages, fault-codes, last-pid and huge-pages");
	if (access(options.files, W_OK) != 0)
		wrong("--files", options.files, "a folder to write in");
}

int main(int argc, char **argv)
{
	bool same;

	if (argc > 1 && strcmp(argv[1], "--worker") == 0)
		return worker_main(argc - 2, argv + 2);
	if (argc > 1 && strcmp(argv[1], "--outsider") == 0)
		outsider_main();
	read_options(argc, argv);
	catch_signals();
	if (options.verbose)
		same = !replay(options.seed, true);
	else
		same = compare();
	if (ended_by)
		return 128 + ended_by;
	printf("%s: %lu sequences from %lu on, backend %s\n", same ? "same" : "DIFFERENT",
	       options.verbose ? 1 : options.sequences, options.seed, options.backend ? options.backend : "auto");
	return same ? 0 : 1;
}
