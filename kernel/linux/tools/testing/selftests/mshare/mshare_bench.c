// SPDX-License-Identifier: GPL-2.0
/*
 * mshare_bench: what msharefs costs and saves, in figures; no test.
 *
 * Options, results, and the order of the parts; see bench.h.
 */
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/utsname.h>

#include "bench.h"

#define PROGRAM		"mshare_bench"
#define MAX_ROUNDS	1000
#define MAX_RESULTS	128

struct bench_options options = {
	.rounds = 5,
	.fault_bytes = MB(128),
	.unmap_bytes = GB(1),
	.reclaim_bytes = MB(64),
	.procs = { 7, { 1, 2, 4, 8, 16, 32, 64 } },
	.unmap_guests = { 3, { 1, 100, 1000 } },
	.reclaim_guests = { 2, { 1, 100 } },
};

/* The parts, in their order. */
enum part { FAULTS, UNMAP, RECLAIM, PLAIN, NR_PARTS };
static const char * const part_names[NR_PARTS] = {
	"faults", "unmap", "reclaim", "plain",
};

static bool chosen[NR_PARTS] = { true, true, true, true };

static void usage(void)
{
	puts("Usage: " PROGRAM " [OPTION]...\n"
	     "Measure msharefs on the running kernel, as root.\n\n"
	     "  --only LIST        parts, of: faults,unmap,reclaim,plain (default: all)\n"
	     "  --rounds N         that count, after one that does not (default: 5)\n"
	     "  --procs LIST       faults: processes (default: 1,2,4,8,16,32,64)\n"
	     "  --guests LIST      unmap, reclaim: processes with a window\n"
	     "                     (default: unmap 1,100,1000; reclaim 1,100)\n"
	     "  --fault-mb N       faults: memory, for all processes (default: 128)\n"
	     "  --unmap-mb N       unmap: memory (default: 1024)\n"
	     "  --reclaim-mb N     reclaim: memory (default: 64)\n"
	     "  --help             print this and exit\n\n"
	     "faults   faults a second of processes that share a region, and of processes\n"
	     "         that share an ordinary mapping\n"
	     "unmap    milliseconds to unmap from a region that processes use\n"
	     "reclaim  pages a second that MADV_PAGEOUT takes from a region that processes\n"
	     "         use: clean pages of a file, and shared memory with swap\n"
	     "plain    fork, fault, mmap with no region anywhere: what CONFIG_MSHARE=y costs\n"
	     "         who does not use it\n\n"
	     "Without msharefs in the kernel, what needs it is left out.  Each result is a line\n"
	     "  bench metric=NAME KEY=N unit=UNIT rounds=N median=X min=X max=X\n"
	     "and all of them are a table at the end.\n\n"
	     "Exit status: 0; 1 if something failed; 2 for a bad option.");
}

static void bad_option(const char *option, const char *value,
		       const char *wanted)
{
	fprintf(stderr, PROGRAM ": --%s '%s': expected %s\n", option, value,
		wanted);
	exit(2);
}

void bench_die(const char *what)
{
	fprintf(stderr, PROGRAM ": not so: %s (%s)\n", what, strerror(errno));
	/* What exit() undoes is main()'s. */
	fflush(NULL);
	_exit(1);
}

/* Results */

static struct result {
	const char *metric, *unit, *key;
	long param;
	double median, min, max;
} results[MAX_RESULTS];
static int nr_results;

static int compare(const void *a, const void *b)
{
	double x = *(double *)a, y = *(double *)b;

	return (x > y) - (x < y);
}

void measure(const char *metric, const char *unit, const char *key, long param,
	     double (*round)(void *arg), void *arg)
{
	struct result *r = &results[nr_results++];
	static double value[MAX_ROUNDS];
	int i, n = options.rounds;

	must(nr_results <= MAX_RESULTS);
	round(arg);
	for (i = 0; i < n; i++)
		value[i] = round(arg);
	qsort(value, n, sizeof(value[0]), compare);
	*r = (struct result) {
		.metric = metric, .unit = unit, .key = key, .param = param,
		.median = (value[(n - 1) / 2] + value[n / 2]) / 2,
		.min = value[0], .max = value[n - 1],
	};
	printf("bench metric=%s %s=%ld unit=%s rounds=%d median=%.3f min=%.3f max=%.3f\n",
	       metric, key, param, unit, n, r->median, r->min, r->max);
	fflush(stdout);
}

void print_table(void)
{
	char name[64];
	int i;

	printf("\n%-34s %6s %12s %12s %12s\n", "metric", "unit", "median",
	       "min", "max");
	for (i = 0; i < nr_results; i++) {
		const struct result *r = &results[i];
		int digits = r->median < 1000 ? 2 : 0;

		snprintf(name, sizeof(name), "%s %s=%ld", r->metric, r->key,
			 r->param);
		printf("%-34s %6s %12.*f %12.*f %12.*f\n", name, r->unit,
		       digits, r->median, digits, r->min, digits, r->max);
	}
}

static void print_system(void)
{
	struct utsname uts;

	uname(&uts);
	printf("bench-system kernel=%s cpus=%ld mem_kb=%ld msharefs=%s\n",
	       uts.release, sysconf(_SC_NPROCESSORS_ONLN),
	       meminfo_value("MemTotal"), mshare_missing() ? "no" : "yes");
	fflush(stdout);
}

/* Options */

static long parse_number(const char *option, const char *value, long max)
{
	char *end, wanted[64];
	long number;

	errno = 0;
	number = strtol(value, &end, 10);
	if (errno || end == value || *end || number < 1 || number > max) {
		snprintf(wanted, sizeof(wanted), "a number from 1 to %ld", max);
		bad_option(option, value, wanted);
	}
	return number;
}

static void parse_list(const char *option, const char *value,
		       struct number_list *list)
{
	char *copy = strdup(value), *rest = copy, *word;

	list->nr = 0;
	while ((word = strsep(&rest, ","))) {
		if (list->nr == MAX_LIST)
			bad_option(option, value, "at most 16 numbers");
		list->value[list->nr++] = parse_number(option, word, MAX_CREW);
	}
	free(copy);
}

static void parse_parts(const char *value)
{
	char *copy = strdup(value), *rest = copy, *word;
	int i;

	memset(chosen, 0, sizeof(chosen));
	while ((word = strsep(&rest, ","))) {
		for (i = 0; i < NR_PARTS && strcmp(word, part_names[i]); i++)
			;
		if (i == NR_PARTS)
			bad_option("only", value,
				   "some of faults,unmap,reclaim,plain");
		chosen[i] = true;
	}
	free(copy);
}

static const struct option long_options[] = {
	{ "only", required_argument, NULL, 'o' },
	{ "rounds", required_argument, NULL, 'r' },
	{ "procs", required_argument, NULL, 'p' },
	{ "guests", required_argument, NULL, 'g' },
	{ "fault-mb", required_argument, NULL, 'F' },
	{ "unmap-mb", required_argument, NULL, 'U' },
	{ "reclaim-mb", required_argument, NULL, 'R' },
	{ "help", no_argument, NULL, 'h' },
	{ }
};

static void parse_option(int opt, const char *name)
{
	switch (opt) {
	case 'o':
		parse_parts(optarg);
		break;
	case 'r':
		options.rounds = parse_number(name, optarg, MAX_ROUNDS);
		break;
	case 'p':
		parse_list(name, optarg, &options.procs);
		break;
	case 'g':
		parse_list(name, optarg, &options.unmap_guests);
		options.reclaim_guests = options.unmap_guests;
		break;
	case 'F':
		options.fault_bytes = MB(parse_number(name, optarg, 1 << 20));
		break;
	case 'U':
		options.unmap_bytes = MB(parse_number(name, optarg, 1 << 18));
		break;
	case 'R':
		options.reclaim_bytes = MB(parse_number(name, optarg, 1 << 18));
		break;
	case 'h':
		usage();
		exit(0);
	default:
		/* getopt has told what is wrong. */
		fprintf(stderr, PROGRAM ": try --help\n");
		exit(2);
	}
}

static void parse_options(int argc, char **argv)
{
	int opt, index = 0;

	while ((opt = getopt_long(argc, argv, "", long_options, &index)) != -1)
		parse_option(opt, long_options[index].name);
	if (optind < argc) {
		fprintf(stderr, PROGRAM ": unexpected '%s'; try --help\n",
			argv[optind]);
		exit(2);
	}
}

/* In a process of its own: see guarded_run(). */
static int run(void *unused)
{
	struct mshare_env env = { .root = -1 };
	const char *why = mshare_missing();

	/* What is mounted here goes with this process. */
	must(!unshare(CLONE_NEWNS));
	must(!mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL));
	if (!why)
		must(!mshare_begin(&env));
	else
		printf("# without a region only: %s\n", why);
	if (chosen[FAULTS])
		bench_faults(env.root);
	if (chosen[UNMAP])
		bench_unmap(env.root);
	if (chosen[RECLAIM])
		bench_reclaim(env.root);
	if (chosen[PLAIN])
		bench_plain();
	if (!why)
		must(!mshare_end(&env));
	print_table();
	fflush(stdout);
	return 0;
}

int main(int argc, char **argv)
{
	const char *why;

	parse_options(argc, argv);
	if (geteuid()) {
		fprintf(stderr, PROGRAM ": needs root\n");
		return 2;
	}
	print_system();
	if (chosen[RECLAIM]) {
		why = swap_get(options.reclaim_bytes * 2);
		if (why)
			printf("# swap: %s\n", why);
	}
	return guarded_run(run, NULL);
}
