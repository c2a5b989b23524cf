/* SPDX-License-Identifier: PostgreSQL */
/*
 * residency.c - msync, mincore, munlock on a view; then mlock, which takes it away.
 * Differs with thp: ^resident:
 * Expects: redirected=2 demoted=2
 * Redirects with hugetlb: 1
 */
#include "snippet.h"

int main(void)
{
	static unsigned char vec[SIZE / PAGE];
	char *memory = SHOW_ADDRESS(mmap(PLACE, SIZE, RW, SHARED | MAP_FIXED_NOREPLACE, -1, 0), PLACE);

	memory[3 * PAGE] = 1;
	SHOW(mincore(memory, SIZE, vec));
	printf("resident: %d %d %d\n", vec[2], vec[3], vec[4]);
	SHOW(mincore(memory + 3 * PAGE, PAGE + 1, vec));
	printf("resident: %d %d\n", vec[0], vec[1]);
	SHOW(mincore(memory, SIZE, NULL));
	SHOW(mincore(memory + 1, SIZE, vec));
	SHOW(msync(memory, SIZE, MS_SYNC));
	SHOW(msync(memory + PAGE, PAGE, MS_ASYNC | MS_INVALIDATE));
	SHOW(msync(memory, SIZE, MS_SYNC | MS_ASYNC));
	SHOW(msync(memory + 1, PAGE, MS_SYNC));
	SHOW(munlock(memory, SIZE));
	SHOW(munlock(memory + 5, 1));
	/* From here on the view is an ordinary mapping. */
	SHOW(msync(memory, 2 * SIZE, MS_SYNC));
	SHOW(mlock(memory + 5, PAGE));
	SHOW(munlock(memory, SIZE));
	SHOW(munmap(memory, SIZE));

	memory = map_shared(SIZE);
	memory[0] = 7;
	SHOW(mlock(memory, PAGE));
	SHOW(mlock2(memory, PAGE, 77));
	SHOW(madvise(memory, PAGE, MADV_DONTNEED));
	printf("%d\n", memory[0]);
	SHOW(munmap(memory, SIZE));
	return 0;
}
