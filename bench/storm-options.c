// SPDX-License-Identifier: PostgreSQL
/*
 * storm-options.c - sga-storm's command line.
 */
#include "storm.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_PROCS	100000

static const char *const type_names[] = { "sysv", "mmap", "file" };

static const char usage[] =
	"Usage: sga-storm [OPTION]...\n"
	"Make one shared object and as many processes, each of which reads and checks one word in every\n"
	"stride of it; say what that costs in page tables.  Stops by itself before memory runs out.\n"
	"\n"
	"  --size SIZE      the shared object (300G)\n"
	"  --procs N        processes (1500)\n"
	"  --stride SIZE    distance of the words (2M: one in each page of page table entries)\n"
	"  --type TYPE      sysv, mmap or file (sysv)\n"
	"  --dir DIR        where the file of --type file is made, without a name (/dev/shm)\n"
	"  --reserve SIZE   stop when less than this is available (a sixteenth of memory, at least 256M)\n"
	"  --jobs N         processes that read at the same time (as many as there are processors)\n"
	"  --json FILE      write the result there, too\n"
	"  --samples FILE   write how it went over time there, as tab-separated values\n"
	"  --dry-run        check the options, and do nothing\n"
	"  --help           this text\n"
	"\n"
	"Exit status: 0 all processes finished, 3 stopped at the limit of memory, 1 something failed,\n"
	"2 an option makes no sense or this machine cannot do it, 128 + N ended by signal N.\n";

const char *storm_type_name(enum storm_type type)
{
	return type_names[type];
}

static uint64_t parse_size(const char *option, const char *text)
{
	static const char units[] = "KMGT";
	unsigned long long number;
	const char *unit;
	char *end;
	int shift = 0;

	errno = 0;
	number = strtoull(text, &end, 10);
	if (*end && (unit = strchr(units, *end & ~0x20))) {
		shift = 10 * (int)(unit - units + 1);
		end++;
		if (*end == 'B')
			end++;
	}
	if (errno || *end || *text < '0' || *text > '9' || number == 0 || number > (UINT64_MAX >> 17 >> shift))
		storm_die(2, "%s: \"%s\" is not a size; expected a number and a unit (K, M, G, T), such as 300G",
			  option, text);
	return number << shift;
}

static unsigned int parse_count(const char *option, const char *text)
{
	unsigned long number;
	char *end;

	number = strtoul(text, &end, 10);
	if (*end || *text < '0' || *text > '9' || number < 1 || number > MAX_PROCS)
		storm_die(2, "%s: \"%s\" is not a number from 1 to %d", option, text, MAX_PROCS);
	return number;
}

static enum storm_type parse_type(const char *text)
{
	for (unsigned int i = 0; i < sizeof(type_names) / sizeof(*type_names); i++)
		if (strcmp(text, type_names[i]) == 0)
			return i;
	storm_die(2, "--type: \"%s\" is none; expected sysv, mmap or file", text);
}

static void set_option(int option, struct storm_options *options)
{
	switch (option) {
	case 's': options->size = parse_size("--size", optarg); break;
	case 'S': options->stride = parse_size("--stride", optarg); break;
	case 'r': options->reserve = parse_size("--reserve", optarg); break;
	case 'p': options->procs = parse_count("--procs", optarg); break;
	case 'j': options->jobs = parse_count("--jobs", optarg); break;
	case 't': options->type = parse_type(optarg); break;
	case 'd': options->dir = optarg; break;
	case 'J': options->json = optarg; break;
	case 'T': options->samples = optarg; break;
	case 'n': options->dry_run = true; break;
	case 'h':
		fputs(usage, stdout);
		exit(fflush(stdout) ? 1 : 0);
	default:
		exit(2);	/* getopt has said what is wrong */
	}
}

static void check(const struct storm_options *options)
{
	uint64_t page = sysconf(_SC_PAGESIZE);

	if (options->stride % page)
		storm_die(2, "--stride: %s is no multiple of a page (%s)", storm_size(options->stride),
			  storm_size(page));
	if (options->size % options->stride)
		storm_die(2, "--size: %s is no multiple of the stride of %s", storm_size(options->size),
			  storm_size(options->stride));
}

/* Fills all of @options: what was not given has the value that --help names. */
void storm_parse(int argc, char **argv, struct storm_options *options)
{
	static const struct option names[] = {
		{ "size", required_argument, NULL, 's' },
		{ "procs", required_argument, NULL, 'p' },
		{ "stride", required_argument, NULL, 'S' },
		{ "type", required_argument, NULL, 't' },
		{ "dir", required_argument, NULL, 'd' },
		{ "reserve", required_argument, NULL, 'r' },
		{ "jobs", required_argument, NULL, 'j' },
		{ "json", required_argument, NULL, 'J' },
		{ "samples", required_argument, NULL, 'T' },
		{ "dry-run", no_argument, NULL, 'n' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	uint64_t total = storm_meminfo("MemTotal");
	int option;

	*options = (struct storm_options){
		.size = 300 * GB, .stride = 2 * MB, .procs = 1500, .type = STORM_SYSV, .dir = "/dev/shm",
		.jobs = sysconf(_SC_NPROCESSORS_ONLN),
		.reserve = total / 16 > 256 * MB ? total / 16 : 256 * MB,
	};
	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1)
		set_option(option, options);
	if (optind < argc)
		storm_die(2, "\"%s\" is one word too many; see --help", argv[optind]);
	check(options);
}
