/* SPDX-License-Identifier: PostgreSQL */
/*
 * redirected.c - on msharefs only: the page tables really are shared, says the kernel, and the library says the same.
 *
 * Prints TAP.  The oracle is /proc: windows in maps, VmPTE of children that touch everything.
 */
#include "snippet.h"

#define CHILDREN	8
#define BIG		(256 * MEGA)	/* 512 kB of page tables for each process that has its own */

static int tests;

static void ok(bool good, const char *what)
{
	printf("%sok %d - %s\n", good ? "" : "not ", ++tests, what);
}

static long vm_pte(void)
{
	return number_in("/proc/self/status", "VmPTE:");
}

/* The most that a child's own page tables grow by when it writes every page, in kB. */
static long growth_in_children(char *memory)
{
	long worst = 0;

	fflush(stdout);
	for (int i = 0; i < CHILDREN; i++) {
		int status;

		if (fork() == 0) {
			long before = vm_pte();

			fill(memory, BIG, i);
			_exit((int)(vm_pte() - before > 250 ? 250 : vm_pte() - before));
		}
		wait(&status);
		if (!WIFEXITED(status))
			return -1;
		if (WEXITSTATUS(status) > worst)
			worst = WEXITSTATUS(status);
	}
	return worst;
}

/* Few kB for the child's own stack and heap, and none of the 512 for the memory. */
static void shares(char *memory, const char *what)
{
	long growth = growth_in_children(memory);

	printf("# %s: VmPTE of a child grew by %ld kB\n", what, growth);
	ok(growth >= 0 && growth <= 16, what);
	ok(mapping_at(memory) == 512 * GIGA, "a window of 512 GB");
	ok(wrong_pages(memory, BIG, CHILDREN - 1) == 0, "the last child's bytes");
}

static void api(char *memory)
{
	int (*query)(const void *, struct mshare_info *) = dlsym(RTLD_DEFAULT, "mshare_query");
	int (*attachment)(unsigned int, struct mshare_info *) = dlsym(RTLD_DEFAULT, "mshare_attachment");
	int (*region_stats)(const void *, struct mshare_region *) = dlsym(RTLD_DEFAULT, "mshare_region_stats");
	struct mshare_info info = { .size = sizeof(info) };
	struct mshare_region region = { .size = sizeof(region) };

	ok(query(memory + 5, &info) == 0 && info.view_addr == (uintptr_t)memory && info.length == BIG &&
		   info.page_size == PAGE && strcmp(info.backend, "msharefs") == 0 && info.reason == 0,
	   "mshare_query tells the view");
	ok(mapping_at((void *)info.shadow_addr) == BIG, "and its shadow");
	ok(query(memory + BIG, &info) == -1 && errno == ENOENT, "but nothing of what is beyond");
	info.size = 8;
	ok(query(memory, &info) == -1 && errno == EINVAL, "a struct too small is refused");
	info.size = sizeof(info);
	ok(attachment(0, &info) == 0 && info.view_addr == (uintptr_t)memory, "mshare_attachment tells it too");
	ok(attachment(1, &info) == -1 && errno == ENOENT, "and no other");
	ok(region_stats(memory, &region) == 0, "mshare_region_stats");
	printf("# resident %lu, page tables %lu, windows %lu, links %lu\n", region.resident_bytes,
	       region.page_table_bytes, region.windows, region.links);
	ok(region.mapped_bytes == BIG && region.resident_bytes == BIG && region.windows == 1 && region.links == 1,
	   "counts memory, windows and links");
	ok(region.page_table_bytes >= BIG / 512 && region.page_table_bytes <= BIG / 512 + 16 * PAGE,
	   "and one set of page tables");
	ok(munmap(memory + PAGE, PAGE) == 0 && query(memory, &info) == 0 && strcmp(info.backend, "none") == 0 &&
		   info.reason == MSHARE_REASON_DEMOTED,
	   "a demoted view is remembered as such");
}

/* mlockall(MCL_FUTURE) is the parent's alone: what its child maps is redirected. */
static bool child_maps_after_lock(void)
{
	int status;

	fflush(stdout);
	if (fork() == 0) {
		if (mlockall(MCL_FUTURE) != 0)
			_exit(1);
		if (fork() == 0)
			_exit(mapping_at(map_shared(BIG)) == 512 * GIGA ? 0 : 2);
		_exit(wait(&status) > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : 3);
	}
	return wait(&status) > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int main(void)
{
	int id = new_segment(BIG);
	char *memory;

	setbuf(stdout, NULL);
	memory = shmat(id, NULL, 0);
	shmctl(id, IPC_RMID, NULL);
	shares(memory, "SysV segment");
	ok(nattch(id) == 1, "shm_nattch is 1");
	ok(shmdt(memory) == 0 && nattch(id) == -1, "and the segment gone after shmdt");
	ok(mapping_at(memory) == 0, "and the window");
	memory = map_shared(BIG);
	shares(memory, "anonymous mapping");
	api(memory);
	ok(munmap(memory, BIG) == 0 && mapping_at(memory) == 0, "munmap");
	ok(child_maps_after_lock(), "a child of a process with mlockall(MCL_FUTURE) maps a window");
	printf("1..%d\n", tests);
	return 0;
}
