/* SPDX-License-Identifier: PostgreSQL */
/*
 * worker.c - runs sequences and reports them; once with the library, once without, from the same binary.
 */
#include "worker.h"

#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mshare.h"
#include "run.h"

static void put(const void *data, size_t size)
{
	/* Whoever compares has seen enough. */
	if (size > 0 && write(WORKER_FD, data, size) != (ssize_t)size)
		_exit(0);
}

static void put_totals(void)
{
	int (*stats)(struct mshare_counters *) =
		(int (*)(struct mshare_counters *))dlsym(RTLD_DEFAULT, "mshare_stats");
	struct mshare_counters counters = { .size = sizeof(counters) };
	struct worker_totals totals = { 0 };

	if (stats != NULL && stats(&counters) == 0)
		totals = (struct worker_totals){ counters.redirected, counters.fallback, counters.demoted,
						 counters.attached };
	put(&totals, sizeof(totals));
}

static bool in_words(const char *word, size_t length)
{
	static const char *const words[] = { "residency", "remap-file-pages", "fault-codes", "last-pid",
					     "huge-pages" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strlen(words[i]) == length && memcmp(words[i], word, length) == 0)
			return true;
	return false;
}

bool tolerances_known(const char *list)
{
	while (*list != '\0') {
		size_t length = strcspn(list, ",");

		if (!in_words(list, length))
			return false;
		list += length + (list[length] == ',');
	}
	return true;
}

static bool tolerates(const char *list, const char *word)
{
	return strstr(list, word) != NULL;
}

int worker_main(int argc, char **argv)
{
	static struct run run;
	uint64_t seed, count;

	if (argc != 5)
		return 2;
	seed = strtoul(argv[0], NULL, 10);
	count = strtoul(argv[1], NULL, 10);
	run.verbose = strcmp(argv[2], "verbose") == 0;
	run.residency = !tolerates(argv[3], "residency");
	run.remap_file_pages = !tolerates(argv[3], "remap-file-pages");
	run.fault_codes = !tolerates(argv[3], "fault-codes");
	run.last_pid = !tolerates(argv[3], "last-pid");
	run.huge_pages = tolerates(argv[3], "huge-pages");
	objects_set_folder(argv[4]);
	/* A sequence is always played to its end: it has segments to remove. */
	signal(SIGPIPE, SIG_IGN);
	outsider_start();
	access_init();
	if (run.verbose)
		run_log_to(WORKER_FD);
	for (uint64_t i = 0; i < count; i++) {
		struct worker_record record;
		const char *text;
		size_t length;

		sequence_run(&run, seed + i);
		text = run_log_take(&length);
		record = (struct worker_record){ seed + i, run.hash, length };
		if (!run.verbose) {
			put(&record, sizeof(record));
			put(text, length);
		}
	}
	if (!run.verbose)
		put_totals();
	return 0;
}
