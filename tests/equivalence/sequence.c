/* SPDX-License-Identifier: PostgreSQL */
/*
 * sequence.c - one sequence: random steps, then a look at everything, then all is given back.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "run.h"

static const struct {
	void (*function)(struct run *run);
	unsigned int weight;
} operations[] = {
	{ op_map, 14 },	   { op_segment, 18 }, { op_file, 12 },	     { op_unmap, 8 },
	{ op_protect, 9 }, { op_advise, 10 },  { op_lock, 3 },	     { op_remap, 8 },
	{ op_touch, 20 },  { op_transfer, 5 }, { op_residency, 3 },  { op_fork, 3 },
	{ op_outsider, 4 },
};

/* Of them, the first. */
#define MAKERS	3

void sequence_step(struct run *run)
{
	const struct mapping *mapping;
	size_t total = 0, choice, count;

	/* Without any mapping most have nothing to do. */
	count = run_pick_mapping(run) != NULL ? sizeof(operations) / sizeof(operations[0]) : MAKERS;
	for (size_t i = 0; i < count; i++)
		total += operations[i].weight;
	choice = run_below(run, total);
	run_log(run, "%*s%d: ", run->depth * 4, "", run->step++);
	errno = 0;
	for (size_t i = 0; i < count; i++) {
		if (choice < operations[i].weight) {
			operations[i].function(run);
			break;
		}
		choice -= operations[i].weight;
	}
	mapping = run_pick_mapping(run);
	if (mapping != NULL)
		access_log_some(run, mapping);
	run_log(run, "\n");
}

static void unmap_all(struct run *run)
{
	for (int i = 0; i < ARENAS; i++)
		run_log_result(run, munmap((void *)ARENA(i), ARENA_PAGES * PAGE));
	for (size_t i = 0; i < MAX_MAPPINGS; i++) {
		struct mapping *mapping = &run->mappings[i];

		if (mapping->base != 0 && !mapping->placed)
			run_log_result(run, munmap((void *)mapping->base, mapping->pages * PAGE));
		mapping->base = 0;
	}
	run_log(run, "\n");
}

void sequence_run(struct run *run, uint64_t seed)
{
	size_t steps;

	run->random = seed;
	run->hash = 0xcbf29ce484222325;
	run->step = 0;
	run->grown = false;
	memset(run->mappings, 0, sizeof(run->mappings));
	memset(run->objects, 0, sizeof(run->objects));
	run->pageout = run_chance(run, 50);
	steps = 8 + run_below(run, 24);
	for (size_t i = 0; i < steps; i++)
		sequence_step(run);
	for (size_t i = 0; i < MAX_MAPPINGS; i++)
		if (run->mappings[i].base != 0)
			access_log_mapping(run, &run->mappings[i]);
	unmap_all(run);
	objects_remove(run);
}
