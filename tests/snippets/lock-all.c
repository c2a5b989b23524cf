/* SPDX-License-Identifier: PostgreSQL */
/*
 * lock-all.c - mlockall: everything there is, and everything to come.
 * Expects: redirected=2 demoted=1
 */
#include "snippet.h"

static bool locked(const char *memory)
{
	char line[256];
	bool inside = false, result = false;
	FILE *smaps = fopen("/proc/self/smaps", "r");
	unsigned long start, end, kilobytes;

	while (fgets(line, sizeof(line), smaps) != NULL) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = start <= (unsigned long)memory && (unsigned long)memory < end;
		else if (inside && sscanf(line, "Locked: %lu", &kilobytes) == 1)
			result = kilobytes > 0;
	}
	fclose(smaps);
	return result;
}

int main(void)
{
	char *memory = map_shared(SIZE), *later;

	fill(memory, SIZE, 1);
	SHOW(mlockall(MCL_CURRENT));
	printf("locked: %d, %zu wrong\n", locked(memory), wrong_pages(memory, SIZE, 1));
	SHOW(mlockall(MCL_FUTURE));
	later = map_shared(SIZE);
	printf("later locked: %d\n", locked(later));
	SHOW(munlockall());
	printf("locked: %d %d\n", locked(memory), locked(later));
	SHOW(mlockall(77));
	SHOW(munmap(later, SIZE));
	later = map_shared(SIZE);
	SHOW_ACCESS(later);
	SHOW(munmap(later, SIZE));
	SHOW(munmap(memory, SIZE));
	return 0;
}
