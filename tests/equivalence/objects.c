/* SPDX-License-Identifier: PostgreSQL */
/*
 * objects.c - operations that make shared memory and map it: anonymous, SysV, memfd, files.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>

#include "run.h"

static const char *files_folder = "/dev/shm";

void objects_set_folder(const char *folder)
{
	files_folder = folder;
}

/* An address of ours, or NULL for one of the kernel's choice. */
static uintptr_t pick_place(struct run *run, unsigned int percent)
{
	static const size_t pages[] = { 0, 0, 0, 16, 64, 512 };

	if (!run_chance(run, percent))
		return 0;
	return ARENA(run_below(run, ARENAS)) + (pages[run_below(run, 6)] + run_below(run, 6)) * PAGE;
}

static void log_place(struct run *run, uintptr_t place)
{
	if (place == 0)
		run_log(run, "(NULL");
	else
		run_log(run, "(%lx", (unsigned long)place);
}

/* The address is told where it was ours to choose.  NULL: nothing was mapped. */
static struct mapping *log_mapped(struct run *run, void *result, size_t pages)
{
	if (result == MAP_FAILED) {
		run_log(run, " = %s", strerrorname_np(errno));
		return NULL;
	}
	if (run_in_arena((uintptr_t)result))
		run_log(run, " = %lx", (unsigned long)result);
	else
		run_log(run, " = somewhere+%lx", (unsigned long)result % PAGE);
	return run_add_mapping(run, (uintptr_t)result, pages);
}

struct map_arguments {
	uintptr_t place;
	size_t pages;
	int prot;
	int flags;
};

static struct map_arguments pick_arguments(struct run *run)
{
	static const int prots[] = { PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE,
				     PROT_READ, PROT_NONE, PROT_WRITE, PROT_READ | PROT_WRITE | PROT_EXEC };
	static const int extra[] = { 0, 0, 0, 0, MAP_NORESERVE, MAP_POPULATE, MAP_LOCKED, MAP_POPULATE | MAP_NONBLOCK };
	struct map_arguments arguments = { .place = pick_place(run, 55),
					   .pages = 1 + run_below(run, MAX_PAGES),
					   .prot = prots[run_below(run, 7)],
					   .flags = MAP_SHARED | extra[run_below(run, 8)] };

	/* A hint into an arena could be taken by one run and, being in use by a window, not by the other. */
	if (arguments.place != 0)
		arguments.flags |= run_chance(run, 60) ? MAP_FIXED_NOREPLACE : MAP_FIXED;
	return arguments;
}

void op_map(struct run *run)
{
	struct map_arguments arguments = pick_arguments(run);
	size_t length = arguments.pages * PAGE - (run_chance(run, 15) ? run_below(run, PAGE) : 0);
	struct mapping *mapping;
	void *result;

	arguments.flags |= MAP_ANONYMOUS;
	/* Not ours, in between: the library has to keep out of it. */
	if (run_chance(run, 10))
		arguments.flags += MAP_PRIVATE - MAP_SHARED;
	run_log(run, "mmap");
	log_place(run, arguments.place);
	run_log(run, ", %zu, %x, %x)", length, (unsigned int)arguments.prot, (unsigned int)arguments.flags);
	if (!run_has_room(run))
		return;
	errno = 0;
	result = run_chance(run, 30) ? mmap64((void *)arguments.place, length, arguments.prot, arguments.flags, -1, 0) :
				       mmap((void *)arguments.place, length, arguments.prot, arguments.flags, -1, 0);
	mapping = log_mapped(run, result, arguments.pages);
	if (mapping != NULL)
		mapping->huge = run->huge_pages && !mapping->placed;
}

static void new_segment(struct run *run)
{
	struct object *object = run_free_object(run);
	size_t pages = 1 + run_below(run, MAX_PAGES);
	size_t size = pages * PAGE - (run_chance(run, 20) ? run_below(run, PAGE) : 0);
	int id;

	run_log(run, "shmget(%zu)", size);
	if (object == NULL)
		return;
	id = shmget(IPC_PRIVATE, size, IPC_CREAT | (run_chance(run, 80) ? 0600 : 0400));
	run_log(run, "%s", id < 0 ? strerrorname_np(errno) : " as o");
	if (id < 0)
		return;
	*object = (struct object){ OBJECT_SEGMENT, id, pages, false };
	run_log(run, "%d", run_object_index(run, object));
}

static void attach(struct run *run, struct object *object)
{
	static const int choices[] = { 0, 0, 0, 0, SHM_RDONLY, SHM_RND, SHM_RDONLY | SHM_RND, SHM_REMAP, SHM_EXEC };
	int flags = choices[run_below(run, run->huge_pages ? 8 : 9)];
	uintptr_t place = pick_place(run, run->huge_pages ? 0 : 45);
	struct mapping *mapping;
	void *result;

	/* Without an address the kernel refuses SHM_REMAP; with a wrong one it may replace anything. */
	if (place != 0 && run_chance(run, 10))
		place += 1 + run_below(run, PAGE - 1);
	run_log(run, "shmat(o%d, %lx, %x)", run_object_index(run, object), (unsigned long)place, (unsigned int)flags);
	if (!run_has_room(run))
		return;
	result = shmat(object->id, (void *)place, flags);
	mapping = log_mapped(run, result, object->pages);
	if (mapping != NULL)
		mapping->huge = mapping->stuck = run->huge_pages;
}

/* Not the times, and of the process ids only whether they are ours. */
static void log_segment(struct run *run, const struct object *object)
{
	struct shmid_ds segment;

	run_log(run, "shmctl(o%d, IPC_STAT)", run_object_index(run, object));
	if (shmctl(object->id, IPC_STAT, &segment) != 0) {
		run_log(run, " = %s", strerrorname_np(errno));
		return;
	}
	run_log(run, " = size %zu, mode %o, attached %lu, %s, %s", segment.shm_segsz,
		(unsigned int)segment.shm_perm.mode, (unsigned long)segment.shm_nattch,
		segment.shm_cpid == getpid() ? "mine" : "not mine",
		!run->last_pid || run->grown ? "" : segment.shm_lpid == getpid() ? "last" : "not last");
}

static void control(struct run *run, struct object *object)
{
	static const struct {
		int command;
		const char *name;
	} commands[] = { { IPC_RMID, "IPC_RMID" }, { SHM_UNLOCK, "SHM_UNLOCK" }, { SHM_LOCK, "SHM_LOCK" } };
	size_t choice = run_below(run, 8);

	/* Huge pages are never locked, and never say so. */
	if (run->huge_pages && choice == 2)
		choice = 1;
	if (choice >= 3) {
		log_segment(run, object);
		return;
	}
	run_log(run, "shmctl(o%d, %s)", run_object_index(run, object), commands[choice].name);
	run_log_result(run, shmctl(object->id, commands[choice].command, NULL));
}

void op_segment(struct run *run)
{
	struct object *object = run_pick_object(run);

	if (object == NULL || object->kind != OBJECT_SEGMENT || run_chance(run, 30))
		new_segment(run);
	else if (run_chance(run, 60))
		attach(run, object);
	else
		control(run, object);
}

static int open_file(bool memfd)
{
	char path[256];
	int fd;

	if (memfd)
		return memfd_create("equivalence", MFD_CLOEXEC);
	snprintf(path, sizeof(path), "%s/equivalence-XXXXXX", files_folder);
	fd = mkstemp(path);
	if (fd >= 0)
		unlink(path);
	return fd;
}

static void new_file(struct run *run)
{
	struct object *object = run_free_object(run);
	size_t pages = 1 + run_below(run, MAX_PAGES);
	bool memfd = run_chance(run, 70);
	int fd;

	run_log(run, "new %s of %zu pages", memfd ? "memfd" : "file", pages);
	if (object == NULL)
		return;
	fd = open_file(memfd);
	if (fd < 0) {
		run_log(run, " = %s", strerrorname_np(errno));
		return;
	}
	*object = (struct object){ memfd ? OBJECT_MEMFD : OBJECT_FILE, fd, pages, false };
	run_log(run, " as o%d", run_object_index(run, object));
	run_log_result(run, ftruncate(fd, (off_t)(pages * PAGE)));
}

static void map_file(struct run *run, struct object *object)
{
	struct map_arguments arguments = pick_arguments(run);
	size_t skipped = run_below(run, object->pages);
	void *result;

	/* A file may be mapped from any page on, and beyond its end. */
	if (run_chance(run, 60)) {
		skipped = 0;
		arguments.pages = object->pages;
	}
	run_log(run, "mmap");
	log_place(run, arguments.place);
	run_log(run, ", %zu pages, %x, %x, o%d, page %zu)", arguments.pages, (unsigned int)arguments.prot,
		(unsigned int)arguments.flags, run_object_index(run, object), skipped);
	if (!run_has_room(run))
		return;
	result = mmap((void *)arguments.place, arguments.pages * PAGE, arguments.prot, arguments.flags, object->id,
		      (off_t)(skipped * PAGE));
	log_mapped(run, result, arguments.pages);
}

/* What is done to the file is seen in the mappings, and the other way round. */
static void change_file(struct run *run, struct object *object)
{
	off_t page = (off_t)run_below(run, object->pages);
	uint64_t value = run_random(run);

	switch (run_below(run, 4)) {
	case 0:
		object->pages = 1 + run_below(run, MAX_PAGES);
		run_log(run, "ftruncate(o%d, %zu pages)", run_object_index(run, object), object->pages);
		run_log_result(run, ftruncate(object->id, (off_t)(object->pages * PAGE)));
		break;
	case 1:
		run_log(run, "fallocate(o%d, punch page %ld)", run_object_index(run, object), (long)page);
		run_log_result(run, fallocate(object->id, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, page * (off_t)PAGE,
					      2 * PAGE));
		break;
	case 2:
		run_log(run, "pwrite(o%d, page %ld, %lx)", run_object_index(run, object), (long)page, value);
		run_log_result(run, pwrite(object->id, &value, sizeof(value), page * (off_t)PAGE + 8));
		break;
	default:
		value = 0;
		run_log(run, "pread(o%d, page %ld)", run_object_index(run, object), (long)page);
		run_log_result(run, pread(object->id, &value, sizeof(value), page * (off_t)PAGE));
		run_log(run, " %lx", value);
	}
}

void op_file(struct run *run)
{
	struct object *object = run_pick_object(run);

	if (object == NULL || object->kind == OBJECT_SEGMENT || run_chance(run, 25))
		new_file(run);
	else if (run_chance(run, 60))
		map_file(run, object);
	else
		change_file(run, object);
}

static void remove_object(struct run *run, struct object *object)
{
	if (object->kind != OBJECT_SEGMENT) {
		close(object->id);
		return;
	}
	log_segment(run, object);
	run_log(run, "\nshmctl(o%d, IPC_RMID)", run_object_index(run, object));
	run_log_result(run, shmctl(object->id, IPC_RMID, NULL));
	run_log(run, "\n");
	/* Nobody is left who has it attached, so it must be gone. */
	if (run->depth == 0) {
		log_segment(run, object);
		run_log(run, "\n");
	}
}

void objects_remove(struct run *run)
{
	for (size_t i = 0; i < MAX_OBJECTS; i++) {
		if (run->objects[i].kind != OBJECT_FREE && !run->objects[i].inherited)
			remove_object(run, &run->objects[i]);
		run->objects[i].kind = OBJECT_FREE;
	}
}
