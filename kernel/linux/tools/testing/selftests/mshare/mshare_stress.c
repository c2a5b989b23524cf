// SPDX-License-Identifier: GPL-2.0
/*
 * mshare_stress: processes that do random things with regions, and a model of
 * what their memory has to hold; see stress.h.
 *
 * Proves that no mixture of operations loses or mixes up contents, faults where
 * it must not, or leaves anything behind.
 */
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ipc.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/wait.h>
#include <time.h>

#include "stress.h"

#define PROGRAM		"mshare_stress"
#define POOL		16	/* huge pages */

struct shared *shared;
int root = -1, disk = -1;
__u64 seed;

static long seconds = 20;
long procs = 6;
static bool have_pool;

static void usage(void)
{
	puts("Usage: " PROGRAM " [OPTION]...\n"
	     "Do random things with msharefs regions, as root, and check all contents.\n\n"
	     "  --seconds N        how long (default: 20)\n"
	     "  --procs N          workers, 1 to 64 (default: 6)\n"
	     "  --seed N           of the random numbers (default: of the clock)\n"
	     "  --help             print this and exit\n\n"
	     "Exit status: 0; 1 if something was not as it has to be; 2 for a bad option;\n"
	     "4 if nothing can be tested on this kernel.");
}

void fail(const char *fmt, ...)
{
	char text[512];
	int len, error = errno;
	va_list args;

	__atomic_store_n(&shared->failed, 1, __ATOMIC_SEQ_CST);
	len = snprintf(text, sizeof(text), "# worker %u, %s (seed %llu): ",
		       worker.nr, worker.op ?: "-", seed);
	va_start(args, fmt);
	errno = error;
	len += vsnprintf(text + len, sizeof(text) - len - 1, fmt, args);
	va_end(args);
	if (len > (int)sizeof(text) - 2)
		len = sizeof(text) - 2;
	text[len++] = '\n';
	if (write(2, text, len) < 0)
		_exit(1);
}

/* xorshift64* */
unsigned int any(__u64 *random, unsigned int below)
{
	__u64 x = *random ?: 1;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	*random = x;
	return ((x * 0x2545f4914f6cdd1dULL) >> 32) % below;
}

/* All pages once more. */
static void check_all(void)
{
	unsigned long nr;
	int i;

	for (i = 0; i < NR_OBJECTS; i++)
		for (nr = 0; nr < objects[i].pages; nr++) {
			if (!page_lock(i, nr, 0))
				fail("object %d page %lu is locked", i, nr);
			page_check(i, nr, (__u64 *)page_plain(i, nr), "at last");
			page_unlock(i, nr);
		}
}

/* What is left */

static int lines_of(const char *path)
{
	FILE *f = fopen(path, "r");
	int c, lines = 0;

	if (!f)
		return -1;
	while ((c = getc(f)) != EOF)
		lines += c == '\n';
	fclose(f);
	return lines;
}

static void check_regions(void)
{
	int tries, lines = 0;

	/* Files are put a little after their process is gone. */
	for (tries = 0; tries < 100; tries++) {
		lines = lines_of(MSHARE_MNT "/mshare_regions");
		if (lines == 1)
			break;
		usleep(50000);
	}
	if (lines != 1)
		fail("mshare_regions has %d lines at the end, not 1", lines);
	if (lines_of("/proc/sysvipc/shm") != 1)
		fail("a SysV segment is left");
}

/* In a process of its own: see guarded_run(). */
static int supervise(void *unused)
{
	struct mshare_env env;
	const char *why;
	char path[32];

	if (prctl(PR_SET_CHILD_SUBREAPER, 1) || mshare_begin(&env) ||
	    unshare(CLONE_NEWIPC)) {
		fail("setup: %s", strerror(errno));
		return 1;
	}
	root = env.root;
	disk = loop_open(NR_OBJECTS * MAX_PAGES * PAGE_SZ, O_RDWR | O_DIRECT,
			 path, sizeof(path));
	why = objects_make(have_pool);
	if (why)
		fail("objects: %s", why);
	else
		workers_run(seconds);
	if (!shared->failed)
		check_all();
	objects_drop();
	close(disk);
	check_regions();
	if (mshare_end(&env))
		fail("umount, or the kernel has complained");
	return shared->failed;
}

struct counters {
	long page_tables, shmem, huge_free, huge_reserved, tainted;
};

static void counters_read(struct counters *c)
{
	FILE *f = fopen("/proc/sys/kernel/tainted", "r");

	c->page_tables = meminfo_value("PageTables");
	c->shmem = meminfo_value("Shmem");
	c->huge_free = meminfo_value("HugePages_Free");
	c->huge_reserved = meminfo_value("HugePages_Rsvd");
	if (!f || fscanf(f, "%ld", &c->tainted) != 1)
		c->tainted = -1;
	if (f)
		fclose(f);
}

/* The host half: has swap space and huge pages, and gives them back. */
static int host(void)
{
	struct counters before, after;
	const char *why = swap_get(MB(128));
	int status;

	if (why)
		printf("# without swap: %s\n", why);
	why = hugepages_get(POOL);
	have_pool = !why;
	if (why)
		printf("# without huge pages: %s\n", why);
	counters_read(&before);
	status = guarded_run(supervise, NULL);
	meminfo_settled("HugePages_Free");
	counters_read(&after);
	if (after.huge_free != before.huge_free ||
	    after.huge_reserved != before.huge_reserved)
		fail("huge pages: %ld free, %ld reserved; before: %ld, %ld",
		     after.huge_free, after.huge_reserved, before.huge_free,
		     before.huge_reserved);
	return status;
}

static pid_t host_pid;

static void pass_on(int sig)
{
	kill(host_pid, sig);
}

static bool returned(const struct counters *before, struct counters *after)
{
	counters_read(after);
	return after->page_tables <= before->page_tables &&
		after->shmem <= before->shmem &&
		after->tainted == before->tainted;
}

static int run(void)
{
	struct counters before, after;
	int tries, status;

	/* What was printed may be in a file of a tmpfs. */
	fflush(NULL);
	meminfo_settled("Shmem");
	meminfo_settled("PageTables");
	counters_read(&before);
	host_pid = child_fork();
	if (!host_pid)
		exit(host());
	signal(SIGINT, pass_on);
	signal(SIGTERM, pass_on);
	signal(SIGHUP, pass_on);
	while (waitpid(host_pid, &status, 0) != host_pid)
		;
	for (tries = 0; tries < 300 && !returned(&before, &after); tries++)
		usleep(100000);
	printf("# PageTables %ld -> %ld kB, Shmem %ld -> %ld kB, tainted %ld -> %ld\n",
	       before.page_tables, after.page_tables, before.shmem, after.shmem,
	       before.tainted, after.tainted);
	if (tries == 300)
		fail("left behind: see the line above");
	return status || shared->failed;
}

/* Options */

static __u64 parse_number(const char *option, const char *value, __u64 min,
			  __u64 max)
{
	char *end;
	__u64 number;

	errno = 0;
	number = strtoull(value, &end, 10);
	if (errno || end == value || *end || *value == '-' || number < min ||
	    number > max) {
		fprintf(stderr, PROGRAM ": --%s '%s': expected a number from %llu to %llu\n",
			option, value, min, max);
		exit(2);
	}
	return number;
}

static void parse_options(int argc, char **argv)
{
	static const struct option long_options[] = {
		{ "seconds", required_argument, NULL, 't' },
		{ "procs", required_argument, NULL, 'p' },
		{ "seed", required_argument, NULL, 's' },
		{ "help", no_argument, NULL, 'h' },
		{ }
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		switch (opt) {
		case 't':
			seconds = parse_number("seconds", optarg, 1, 1000000);
			break;
		case 'p':
			procs = parse_number("procs", optarg, 1, MAX_PROCS);
			break;
		case 's':
			seed = parse_number("seed", optarg, 1, ~0ULL);
			break;
		case 'h':
			usage();
			exit(0);
		default:
			/* getopt has told what is wrong. */
			exit(2);
		}
	if (optind < argc) {
		fprintf(stderr, PROGRAM ": unexpected '%s'; try --help\n",
			argv[optind]);
		exit(2);
	}
}

int main(int argc, char **argv)
{
	const char *why;
	int status;

	parse_options(argc, argv);
	why = mshare_missing();
	if (why) {
		printf("TAP version 13\n1..0 # SKIP %s\n", why);
		return 4;
	}
	if (!seed)
		seed = time(NULL);
	printf("TAP version 13\n1..1\n# seed %llu, %ld workers, %ld s\n", seed,
	       procs, seconds);
	shared = (struct shared *)shared_anon(sizeof(*shared));
	if (shared == MAP_FAILED)
		return 1;
	memset(shared, 0, sizeof(*shared));
	status = run();
	printf("# %lu pages checked, %lu workers killed\n", shared->done,
	       shared->kills);
	printf("%s 1 stress\n", status ? "not ok" : "ok");
	return status ? 1 : 0;
}
