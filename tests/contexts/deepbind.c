/* SPDX-License-Identifier: PostgreSQL */
/*
 * deepbind.c - a program and a library opened with RTLD_DEEPBIND work on each other's mappings.
 *
 * What the library maps nobody redirects; what the program maps the library may read and write.  The program takes what
 * is the library's as ordinary memory.
 */
#include "snippet.h"

#include "deepbound.h"

static struct {
	char *(*map)(size_t);
	int (*unmap)(char *, size_t);
	int (*protect)(char *, size_t, int);
} deep;

static void load(const char *path)
{
	void *library = dlopen(path, RTLD_NOW | RTLD_DEEPBIND);

	if (library == NULL) {
		printf("%s\n", dlerror());
		exit(1);
	}
	deep.map = (char *(*)(size_t))dlsym(library, "deep_map");
	deep.unmap = (int (*)(char *, size_t))dlsym(library, "deep_unmap");
	deep.protect = (int (*)(char *, size_t, int))dlsym(library, "deep_protect");
}

/* The library's own, changed by both. */
static void of_library(void)
{
	char *memory = deep.map(SIZE);

	fill(memory, SIZE, 1);
	SHOW(mprotect(memory, PAGE, PROT_READ));
	SHOW_ACCESS(memory);
	SHOW(deep.protect(memory, SIZE, RW));
	SHOW_ACCESS(memory);
	SHOW(munmap(memory + PAGE, PAGE));
	SHOW_ACCESS(memory + PAGE);
	SHOW(mlock(memory, PAGE));
	SHOW_ADDRESS(mremap(memory, PAGE, PAGE, 0), memory);
	SHOW(deep.unmap(memory, SIZE));
	SHOW_ACCESS(memory);
}

/* Where a mapping of the library's was there may later be a view, and the other way round. */
static void in_turn(void)
{
	size_t wrong = 0;

	for (int i = 0; i < 50; i++) {
		char *theirs = deep.map(SIZE);
		char *ours = map_shared(SIZE);

		fill(theirs, SIZE, i);
		fill(ours, SIZE, i + 1);
		wrong += wrong_pages(theirs, SIZE, i) + wrong_pages(ours, SIZE, i + 1);
		wrong += munmap(i % 2 ? theirs : ours, SIZE) != 0;
		wrong += i % 2 ? munmap(ours, SIZE) != 0 : deep.unmap(theirs, SIZE) != 0;
	}
	printf("in turn: %zu wrong\n", wrong);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	load(argv[1]);
	of_library();
	in_turn();
	return 0;
}
