// SPDX-License-Identifier: PostgreSQL
/*
 * storm-memory.c - what the kernel says of memory and page tables, and the library of its region.
 */
#include "storm.h"

#include "mshare.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE_TABLE	4096		/* a page table of any level */

/* One line, as all that is said of errors, and the end. */
void storm_die(int status, const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fputs("sga-storm: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(status);
}

/* The field of a file of lines "Name:   123 kB", in bytes; false if the file or the field is not there. */
static bool kb_field(const char *path, const char *name, uint64_t *bytes)
{
	FILE *file = fopen(path, "re");
	size_t length = strlen(name);
	bool found = false;
	char line[256];

	if (!file)
		return false;
	while (!found && fgets(line, sizeof(line), file)) {
		if (strncmp(line, name, length) || line[length] != ':')
			continue;
		*bytes = strtoull(line + length + 1, NULL, 10) * KB;
		found = true;
	}
	fclose(file);
	return found;
}

uint64_t storm_meminfo(const char *name)
{
	uint64_t bytes;

	if (!kb_field("/proc/meminfo", name, &bytes))
		storm_die(1, "/proc/meminfo does not tell %s; is /proc mounted?", name);
	return bytes;
}

/* Page tables of a process of its own; 0 if it has ended. */
uint64_t storm_vmpte(int pid)
{
	uint64_t bytes = 0;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	kb_field(path, "VmPTE", &bytes);
	return bytes;
}

/* PageTables is counted for each processor and added up now and then; only root may ask for it. */
void storm_refresh_counters(void)
{
	int fd = open("/proc/sys/vm/stat_refresh", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, "1", 1) < 0)
		fputs("sga-storm: counters were not refreshed, PageTables may be off by a MB\n", stderr);
	close(fd);
}

/* A process without the library has no such functions. */
void storm_region(const void *addr, struct storm_region *region)
{
	struct mshare_info info = { .size = sizeof(info) };
	struct mshare_region stats = { .size = sizeof(stats) };
	__typeof__(&mshare_query) query = (__typeof__(query))dlsym(RTLD_DEFAULT, "mshare_query");
	__typeof__(&mshare_region_stats) ask = (__typeof__(ask))dlsym(RTLD_DEFAULT, "mshare_region_stats");

	*region = (struct storm_region){ .backend = "none" };
	if (!query || !ask || query(addr, &info))
		return;
	memcpy(region->backend, info.backend, sizeof(region->backend));
	region->backend[sizeof(region->backend) - 1] = '\0';
	if (ask(addr, &stats))
		return;
	region->page_table_bytes = stats.page_table_bytes;
	region->windows = stats.windows;
}

static uint64_t divide_up(uint64_t a, uint64_t b)
{
	return (a + b - 1) / b;
}

uint64_t storm_page_tables(uint64_t size, uint64_t stride)
{
	uint64_t bytes = 0;

	/* A table of the lowest level maps 2 MB, one of the next 1 GB, one of the third 512 GB. */
	for (uint64_t maps = 2 * MB; maps <= 512 * GB; maps *= 512)
		bytes += divide_up(size, maps > stride ? maps : stride) * PAGE_TABLE;
	return bytes;
}

const char *storm_size(uint64_t bytes)
{
	static const struct { uint64_t factor; const char *name; } units[] = {
		{ TB, "TB" }, { GB, "GB" }, { MB, "MB" }, { KB, "kB" }
	};
	static char buffers[8][32];
	static unsigned int next;
	char *buffer = buffers[next++ % 8];

	for (unsigned int i = 0; i < sizeof(units) / sizeof(*units); i++) {
		double value = (double)bytes / units[i].factor;

		/* 881 GB, not 0.86 TB: three digits are enough up to there. */
		if (value < 1 || (units[i].factor == TB && value < 9.995))
			continue;
		snprintf(buffer, sizeof(buffers[0]), "%.*f %s", value < 10 ? 2 : value < 100 ? 1 : 0, value,
			 units[i].name);
		return buffer;
	}
	snprintf(buffer, sizeof(buffers[0]), "%llu B", (unsigned long long)bytes);
	return buffer;
}
