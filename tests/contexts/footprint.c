/* SPDX-License-Identifier: PostgreSQL */
/*
 * footprint.c - for footprint.t: what a process has of page tables and of memory, in kB.
 *
 * Usage: footprint MEGABYTES [stay]: of shared memory that it maps and writes before.  Shared memory is not counted, a
 * library's text at the part that falls to this process.  With "stay" it lives on until its standard input ends.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* The sum of the lines that begin so. */
static long kilobytes(const char *path, const char *first, const char *second)
{
	char line[256];
	long sum = 0;
	FILE *file = fopen(path, "r");

	if (file == NULL)
		err(1, "%s", path);
	while (fgets(line, sizeof(line), file) != NULL) {
		const char *number = strchr(line, ':');

		if (number != NULL &&
		    (strncmp(line, first, strlen(first)) == 0 || strncmp(line, second, strlen(second)) == 0))
			sum += strtol(number + 1, NULL, 10);
	}
	fclose(file);
	return sum;
}

int main(int argc, char **argv)
{
	long tables, memory;
	size_t size;

	if (argc < 2)
		errx(2, "usage: footprint MEGABYTES [stay]");
	size = strtoul(argv[1], NULL, 10) << 20;
	if (size > 0) {
		char *shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

		if (shared == MAP_FAILED)
			err(1, "mmap");
		memset(shared, 1, size);
	}
	tables = kilobytes("/proc/self/status", "VmPTE:", "VmPTE:");
	memory = kilobytes("/proc/self/smaps_rollup", "Pss_Anon:", "Pss_File:");
	printf("%ld %ld\n", tables, memory);
	fflush(stdout);
	if (argc > 2)
		while (getchar() != EOF)
			;
	return 0;
}
