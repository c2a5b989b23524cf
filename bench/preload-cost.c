/* SPDX-License-Identifier: PostgreSQL */
/*
 * preload-cost.c - what the preload library costs a program on calls that are not the library's matter.
 *
 * Starts itself as a worker, without and with the library in turn, many times; a worker measures everything once.
 * What is printed is the median without it, and median and quartiles of the differences within the pairs: what else
 * goes on on the machine hits both of a pair alike.  Beside them, others have the library, as a server's processes have:
 * text that all of them run is no process's own memory.  See --help.
 */
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cost.h"

#define MAX_ROUNDS	500
#define MAX_MEASURES	32
/* A worker takes each figure so often, and the least counts: whatever else goes on only ever adds. */
#define SAMPLES		200
#define OTHERS		8
#define DEFAULT_MALLOC	"/usr/lib/x86_64-linux-gnu/libjemalloc.so.2"

static const char usage[] =
	"Usage: preload-cost [OPTION...]\n"
	"Measure what the preload library adds to calls that are none of its matter, to fork, to the memory of a process,\n"
	"and to the start of a program: the median of pairs of processes, without and with it, and the quartiles.\n"
	"Times are for one call; 'shmget, removal' for the two, of which shmget alone is the library's.\n"
	"Memory is measured among 8 other processes that have the library: what they all run is shared between them.\n"
	"\n"
	"  --library FILE  libmshare_preload.so (default: the one built with this program, as installed)\n"
	"  --rounds N      pairs of processes (21, at most 500)\n"
	"  --attached MB   shared memory of the process in the lines with 'attached' (64)\n"
	"  --malloc FILE   a malloc to preload in both of a pair (libjemalloc.so.2, where Debian has it)\n"
	"  --check         exit status 1 if more is added than may be\n"
	"  --help          this text\n"
	"\n"
	"MSHARE_* in the environment is passed on, so MSHARE_BACKEND chooses what becomes of the attached memory.\n";

static struct {
	char library[PATH_MAX];
	const char *malloc;
	size_t attached;	/* bytes */
	int rounds;
	bool check;
} options = { LIBRARY, DEFAULT_MALLOC, 64UL << 20, 21, false };

static int compare_doubles(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

/* Of the sorted values; part 0.5 is the median. */
static double quantile(const double *values, int count, double part)
{
	double place = part * (count - 1);
	int below = (int)place;
	int above = below + 1 < count ? below + 1 : below;

	return values[below] + (values[above] - values[below]) * (place - below);
}

static void sort(double *values, int count)
{
	qsort(values, (size_t)count, sizeof(*values), compare_doubles);
}

static bool in_setting(size_t measure, enum cost_setting setting)
{
	return cost_measures[measure].setting == setting;
}

static bool is_memory(size_t measure)
{
	return strcmp(cost_measures[measure].unit, "kB") == 0;
}

static bool measures_memory(enum cost_setting setting)
{
	for (size_t i = 0; i < cost_measure_count; i++)
		if (in_setting(i, setting) && is_memory(i))
			return true;
	return false;
}

static double take(const struct cost_measure *measure)
{
	double least = measure->figure(measure->count);

	for (int i = 1; i < SAMPLES; i++) {
		double sample = measure->figure(measure->count);

		if (sample < least)
			least = sample;
	}
	return least;
}

/* Of memory that the library may take for its own: it stays until the worker ends. */
static int have_memory(size_t bytes)
{
	char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return 1;
	memset(memory, 1, bytes);
	return 0;
}

/*
 * For all of the run, since processors are not equally fast in a virtual machine; and whether a child starts where its
 * parent runs makes more of a difference to fork() than anything measured here.
 */
static void stay_on_processor(void)
{
	cpu_set_t here;

	CPU_ZERO(&here);
	CPU_SET(sched_getcpu(), &here);
	sched_setaffinity(0, sizeof(here), &here);
}

/* Until its standard input ends; what a worker runs until it measures memory, it has run. */
static int stand_by(enum cost_setting setting)
{
	char end;

	for (size_t i = 0; i < cost_measure_count; i++)
		if (in_setting(i, setting) && is_memory(i))
			cost_measures[i].figure(1);
	return write(STDOUT_FILENO, "", 1) != 1 || read(STDIN_FILENO, &end, 1) != 0;
}

static int take_figures(enum cost_setting setting)
{
	double results[MAX_MEASURES] = { 0 };

	for (size_t i = 0; i < cost_measure_count; i++)
		if (in_setting(i, setting))
			results[i] = take(&cost_measures[i]);
	return write(STDOUT_FILENO, results, sizeof(results)) != sizeof(results);
}

/* A terminal's ^C must not come between the birth of a SysV segment and its removal. */
static void block_interrupts(void)
{
	sigset_t ends;

	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGHUP);
	sigprocmask(SIG_BLOCK, &ends, NULL);
}

/* What a process does that this program has made of itself. */
static const struct role {
	const char *name;
	int (*play)(enum cost_setting setting);	/* its exit status */
} worker = { "--worker", take_figures }, other = { "--other", stand_by };

/* Arguments: the role, a number of enum cost_setting, bytes attached. */
static int play(const struct role *role, char **argv)
{
	enum cost_setting setting = (enum cost_setting)atoi(argv[2]);

	block_interrupts();
	if (setting == COST_ATTACHED && have_memory(strtoul(argv[3], NULL, 10)) != 0)
		return 1;
	return role->play(setting);
}

static void set_preload(enum cost_setting setting, bool library)
{
	const char *other = setting == COST_MALLOC ? options.malloc : "";
	char list[2 * PATH_MAX];

	snprintf(list, sizeof(list), "%s%s%s", library ? options.library : "", library && *other != '\0' ? ":" : "",
		 other);
	if (*list != '\0')
		setenv("LD_PRELOAD", list, 1);
	else
		unsetenv("LD_PRELOAD");
}

/* In a child: this program again, in a role. */
static void become(const struct role *role, enum cost_setting setting, bool library)
{
	char number[32], bytes[32];

	snprintf(number, sizeof(number), "%d", (int)setting);
	snprintf(bytes, sizeof(bytes), "%zu", options.attached);
	set_preload(setting, library);
	execl("/proc/self/exe", "preload-cost", role->name, number, bytes, (char *)NULL);
	_exit(127);
}

/* Fills the figures of this setting. */
static void run_worker(enum cost_setting setting, bool library, double figures[MAX_MEASURES])
{
	double results[MAX_MEASURES];
	int ends[2], status;
	pid_t child;
	ssize_t got;

	if (pipe2(ends, O_CLOEXEC) != 0 || (child = fork()) < 0) {
		perror("preload-cost: a worker");
		exit(1);
	}
	if (child == 0) {
		dup2(ends[1], STDOUT_FILENO);
		become(&worker, setting, library);
	}
	close(ends[1]);
	got = read(ends[0], results, sizeof(results));
	close(ends[0]);
	if (waitpid(child, &status, 0) != child || status != 0 || got != sizeof(results)) {
		fprintf(stderr, "preload-cost: a worker %s the library failed, status 0x%x\n",
			library ? "with" : "without", status);
		exit(1);
	}
	for (size_t i = 0; i < cost_measure_count; i++)
		if (in_setting(i, setting))
			figures[i] = results[i];
}

static double plain[MAX_ROUNDS][MAX_MEASURES], with[MAX_ROUNDS][MAX_MEASURES];

/* The descriptor whose end ends them.  Where no memory is measured, there are none. */
static int start_others(enum cost_setting setting)
{
	int stay[2], ready[2], count = measures_memory(setting) ? OTHERS : 0;
	char byte;

	if (pipe2(stay, O_CLOEXEC) != 0 || pipe2(ready, O_CLOEXEC) != 0) {
		perror("preload-cost: pipes");
		exit(1);
	}
	for (int i = 0; i < count; i++) {
		if (fork() != 0)
			continue;
		dup2(stay[0], STDIN_FILENO);
		dup2(ready[1], STDOUT_FILENO);
		become(&other, setting, true);
	}
	close(stay[0]);
	close(ready[1]);
	for (int i = 0; i < count; i++) {
		if (read(ready[0], &byte, 1) != 1) {
			fprintf(stderr, "preload-cost: %d of %d other processes have started\n", i, count);
			exit(1);
		}
	}
	close(ready[0]);
	return stay[1];
}

/* Which of a pair goes first changes from round to round. */
static void measure(enum cost_setting setting)
{
	int others = start_others(setting);

	for (int round = 0; round < options.rounds; round++) {
		bool first = round % 2;

		run_worker(setting, first, first ? with[round] : plain[round]);
		run_worker(setting, !first, first ? plain[round] : with[round]);
	}
	close(others);
	while (wait(NULL) > 0)
		;
}

/* False: more than may be. */
static bool report(size_t index)
{
	const struct cost_measure *what = &cost_measures[index];
	double values[MAX_ROUNDS], added[MAX_ROUNDS], without, median, part;
	bool good;

	for (int round = 0; round < options.rounds; round++) {
		values[round] = plain[round][index];
		added[round] = with[round][index] - plain[round][index];
	}
	sort(values, options.rounds);
	sort(added, options.rounds);
	without = quantile(values, options.rounds, 0.5);
	median = quantile(added, options.rounds, 0.5);
	part = median / without * 100;
	good = (what->kind == COST_PERCENT ? part : median) <= what->limit;
	printf("%-23s %-2s %11.1f %+11.1f %+11.1f ..%+11.1f %+7.1f %%   %g %s%s\n", what->name, what->unit, without,
	       median, quantile(added, options.rounds, 0.25), quantile(added, options.rounds, 0.75), part, what->limit,
	       what->kind == COST_PERCENT ? "%" : what->unit, good ? "" : "  EXCEEDED");
	return good;
}

static bool compare(void)
{
	bool good = true;

	stay_on_processor();
	for (int setting = 0; setting < COST_SETTINGS; setting++)
		if (setting != COST_MALLOC || *options.malloc != '\0')
			measure((enum cost_setting)setting);
	printf("%d pairs of processes, %zu MB attached\n", options.rounds, options.attached >> 20);
	printf("%-26s %11s %11s %24s %9s   %s\n", "", "without", "added", "quartiles of added", "", "at most");
	for (size_t i = 0; i < cost_measure_count; i++)
		if (cost_measures[i].setting != COST_MALLOC || *options.malloc != '\0')
			good &= report(i);
	return good;
}

static void wrong(const char *what, const char *value, const char *expected)
{
	fprintf(stderr, "preload-cost: %s '%s' makes no sense; expected %s\n", what, value, expected);
	exit(2);
}

static size_t number(const char *name, const char *text, size_t most)
{
	char expected[64], *end;
	size_t value = strtoul(text, &end, 10);

	snprintf(expected, sizeof(expected), "a number from 1 to %zu", most);
	if (*text < '0' || *text > '9' || *end != '\0' || value < 1 || value > most)
		wrong(name, text, expected);
	return value;
}

static void check_options(int argc, char **argv)
{
	if (optind < argc)
		wrong("argument", argv[optind], "options only; see --help");
	if (access(options.library, R_OK) != 0)
		wrong("--library", options.library, "the path of a libmshare_preload.so");
	/* The default is one that a machine need not have. */
	if (access(options.malloc, R_OK) == 0)
		return;
	if (strcmp(options.malloc, DEFAULT_MALLOC) != 0)
		wrong("--malloc", options.malloc, "the path of a shared library");
	options.malloc = "";
}

static void read_options(int argc, char **argv)
{
	static const struct option names[] = { { "library", required_argument, NULL, 'l' },
					       { "rounds", required_argument, NULL, 'r' },
					       { "attached", required_argument, NULL, 'a' },
					       { "malloc", required_argument, NULL, 'm' },
					       { "check", no_argument, NULL, 'c' },
					       { "help", no_argument, NULL, 'h' },
					       { NULL, 0, NULL, 0 } };
	int option;

	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (option) {
		case 'l': snprintf(options.library, sizeof(options.library), "%s", optarg); break;
		case 'r': options.rounds = (int)number("--rounds", optarg, MAX_ROUNDS); break;
		case 'a': options.attached = number("--attached", optarg, 1UL << 20) << 20; break;
		case 'm': options.malloc = optarg; break;
		case 'c': options.check = true; break;
		case 'h': fputs(usage, stdout); exit(0);
		default: exit(2);
		}
	}
	check_options(argc, argv);
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], worker.name) == 0)
		return play(&worker, argv);
	if (argc == 4 && strcmp(argv[1], other.name) == 0)
		return play(&other, argv);
	read_options(argc, argv);
	/* In the attached setting it may find nothing to share with, which is not news here. */
	setenv("MSHARE_LOG", "error", 0);
	return !compare() && options.check ? 1 : 0;
}
