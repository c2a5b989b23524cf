/* SPDX-License-Identifier: PostgreSQL */
/*
 * run.c - random numbers, the log, and the table of mappings and objects.
 */
#include "run.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static int log_fd = -1;

/* Of this sequence, as much as there is room for.  Not on the heap, whose growth would be seen in the layout. */
static char kept[256 << 10];
static size_t kept_length;

/* splitmix64: any seed is a good one. */
uint64_t run_random(struct run *run)
{
	uint64_t z = run->random += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

size_t run_below(struct run *run, size_t bound)
{
	return run_random(run) % bound;
}

bool run_chance(struct run *run, unsigned int percent)
{
	return run_below(run, 100) < percent;
}

/* FNV-1a */
void run_log_text(struct run *run, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		run->hash = (run->hash ^ (unsigned char)text[i]) * 0x100000001b3;
	if (log_fd >= 0) {
		if (write(log_fd, text, length) != (ssize_t)length)
			_exit(98);
		return;
	}
	if (length > sizeof(kept) - kept_length)
		length = sizeof(kept) - kept_length;
	memcpy(kept + kept_length, text, length);
	kept_length += length;
}

void run_log(struct run *run, const char *format, ...)
{
	char text[512];
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	run_log_text(run, text, (size_t)length);
}

void run_log_result(struct run *run, long result)
{
	if (result == -1)
		run_log(run, " = %s", strerrorname_np(errno));
	else
		run_log(run, " = %ld", result);
}

const char *run_log_take(size_t *length)
{
	*length = kept_length;
	kept_length = 0;
	return kept;
}

void run_log_to(int fd)
{
	log_fd = fd;
}

struct mapping *run_pick_mapping(struct run *run)
{
	size_t first = run_below(run, MAX_MAPPINGS);

	for (size_t i = 0; i < MAX_MAPPINGS; i++) {
		struct mapping *mapping = &run->mappings[(first + i) % MAX_MAPPINGS];

		if (mapping->base != 0)
			return mapping;
	}
	return NULL;
}

struct object *run_pick_object(struct run *run)
{
	size_t first = run_below(run, MAX_OBJECTS);

	for (size_t i = 0; i < MAX_OBJECTS; i++) {
		struct object *object = &run->objects[(first + i) % MAX_OBJECTS];

		if (object->kind != OBJECT_FREE)
			return object;
	}
	return NULL;
}

struct object *run_free_object(struct run *run)
{
	for (size_t i = 0; i < MAX_OBJECTS; i++)
		if (run->objects[i].kind == OBJECT_FREE)
			return &run->objects[i];
	return NULL;
}

bool run_in_arena(uintptr_t addr)
{
	for (int i = 0; i < ARENAS; i++)
		if (addr - ARENA(i) < ARENA_PAGES * PAGE)
			return true;
	return false;
}

bool run_has_room(const struct run *run)
{
	for (size_t i = 0; i < MAX_MAPPINGS; i++)
		if (run->mappings[i].base == 0 || run->mappings[i].placed)
			return true;
	return false;
}

static struct mapping *entry_for_new(struct run *run)
{
	size_t first = run_below(run, MAX_MAPPINGS);

	for (size_t i = 0; i < MAX_MAPPINGS; i++)
		if (run->mappings[i].base == 0)
			return &run->mappings[i];
	for (size_t i = 0; i < MAX_MAPPINGS; i++)
		if (run->mappings[(first + i) % MAX_MAPPINGS].placed)
			return &run->mappings[(first + i) % MAX_MAPPINGS];
	return NULL;
}

struct mapping *run_add_mapping(struct run *run, uintptr_t base, size_t pages)
{
	struct mapping *mapping = entry_for_new(run);

	if (mapping == NULL) {
		munmap((void *)base, pages * PAGE);
		return NULL;
	}
	*mapping = (struct mapping){ .base = base, .pages = pages, .placed = run_in_arena(base) };
	run_log(run, " as m%d", run_mapping_index(run, mapping));
	return mapping;
}

int run_mapping_index(const struct run *run, const struct mapping *mapping)
{
	return (int)(mapping - run->mappings);
}

int run_object_index(const struct run *run, const struct object *object)
{
	return (int)(object - run->objects);
}

struct range run_pick_range(struct run *run, const struct mapping *mapping)
{
	struct range range = { mapping->base, mapping->pages * PAGE, true };
	size_t skipped;

	if (mapping->stuck) {
		range.length -= run_chance(run, 10) ? run_below(run, PAGE) : 0;
		return range;
	}
	if (!run_chance(run, 40)) {
		skipped = run_below(run, mapping->pages);
		range.addr += skipped * PAGE;
		range.length = (1 + run_below(run, mapping->pages - skipped)) * PAGE;
	}
	if (mapping->placed && run_chance(run, 15)) {
		range.addr -= run_below(run, 3) * PAGE;
		range.length += run_below(run, 8) * PAGE;
	}
	/* A length need not be whole pages. */
	if (run_chance(run, 10))
		range.length -= run_below(run, PAGE);
	if (run_chance(run, 3)) {
		range.addr += 1 + run_below(run, PAGE - 1);
		range.length -= range.length < PAGE ? range.length : PAGE;
	}
	if (run_chance(run, 3))
		range.length = 0;
	range.whole = range.addr <= mapping->base &&
		      range.addr + range.length > mapping->base + (mapping->pages - 1) * PAGE;
	return range;
}

void run_log_range(struct run *run, const struct mapping *mapping, const struct range *range)
{
	run_log(run, "(m%d%+ld, %zu)", run_mapping_index(run, mapping), (long)(range->addr - mapping->base),
		range->length);
}

/*
 * By a bare system call that the library does not see: what it has there, it has put back to ordinary by now.
 * In an arena nothing needs a plug.
 */
void run_plug(struct run *run, struct mapping *mapping, uintptr_t addr, size_t length)
{
	register long flags __asm__("r10") = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE;
	register long fd __asm__("r8") = -1;
	register long offset __asm__("r9") = 0;
	long ret;

	if (mapping->placed || length == 0)
		return;
	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "0"(SYS_mmap), "D"(addr), "S"((length + PAGE - 1) & -PAGE), "d"(PROT_NONE), "r"(flags),
			   "r"(fd), "r"(offset)
			 : "rcx", "r11", "memory");
	run_log(run, "%s", (uintptr_t)ret == addr ? " plugged" : " NOT PLUGGED");
}
