/* SPDX-License-Identifier: PostgreSQL */
/*
 * attach.c - the table of redirected mappings.
 *
 * The address ranges that a call may not touch unnoticed, windows and shadows, are sorted in one array: a lookup is a
 * binary search.  Static memory holds what a server has; only a process with more takes memory from the heap.  An array
 * that was outgrown stays where it is, because a lookup without the lock may be reading it.  See attach.h for
 * the locking.
 */
#include "attach.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/single_threaded.h>

#include "heap.h"
#include "placement.h"
#include "real.h"

/* From this many on memory comes from the heap, for so many at a time as a page holds. */
#define STATIC_ATTACHMENTS	32
#define SLOTS_PER_PAGE		(PAGE_BYTES / sizeof(union slot))

struct range {
	_Atomic uintptr_t start, end;	/* first byte and first byte after */
	struct attachment *_Atomic owner;
};

struct ranges {
	_Atomic size_t count;
	size_t capacity;
	struct range *range;
};

union slot {
	struct attachment attachment;
	union slot *next_free;
};

static SELDOM_WRITTEN struct range first_range[2 * STATIC_ATTACHMENTS];
static struct ranges first = { .capacity = 2 * STATIC_ATTACHMENTS, .range = first_range };

static SELDOM_WRITTEN union slot first_slots[STATIC_ATTACHMENTS];
static size_t first_slots_used;
static union slot *free_slots;

static struct ranges *_Atomic current = &first;
static size_t attachments;
static _Atomic unsigned int sequence;	/* odd while ranges change */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static uint64_t mask_of_holder;
/* How often this thread has locked.  Initial-exec: reading it must never allocate. */
static _Thread_local unsigned int depth __attribute__((tls_model("initial-exec")));

void attach_lock(void)
{
	const uint64_t all = ~0UL;
	uint64_t mask;

	if (depth > 0) {
		depth++;
		return;
	}
	real_sigprocmask(SIG_SETMASK, &all, &mask);
	pthread_mutex_lock(&mutex);
	mask_of_holder = mask;
	depth = 1;
}

void attach_unlock(void)
{
	uint64_t mask = mask_of_holder;

	if (--depth > 0)
		return;
	pthread_mutex_unlock(&mutex);
	real_sigprocmask(SIG_SETMASK, &mask, NULL);
}

static inline size_t count_of(const struct ranges *ranges)
{
	return atomic_load_explicit(&ranges->count, memory_order_relaxed);
}

static inline uintptr_t load(const _Atomic uintptr_t *value)
{
	return atomic_load_explicit(value, memory_order_relaxed);
}

static inline struct attachment *owner_of(const struct range *range)
{
	return atomic_load_explicit(&range->owner, memory_order_relaxed);
}

/*
 * The thread that forks takes the lock and both its copies release it: a plain mutex does not mind that
 * the child's thread has another id.  The only thread of a process has nobody to wait for: it is spared the system calls,
 * and the copies of the page that the lock is in.
 */
void attach_fork_prepare(void)
{
	struct ranges *ranges;

	if (!__libc_single_threaded)
		attach_lock();
	ranges = atomic_load_explicit(&current, memory_order_relaxed);
	/* What is the same is not written: each fork() would cost the page fault that follows it. */
	for (size_t i = 0; i < count_of(ranges); i++)
		if (!owner_of(&ranges->range[i])->inherited)
			owner_of(&ranges->range[i])->inherited = true;
}

void attach_fork_done(void)
{
	if (depth > 0)
		attach_unlock();
}

/* A range that wraps around is none for the kernel either; it answers for that. */
static inline uintptr_t end_of(uintptr_t addr, size_t length)
{
	return addr + length < addr ? UINTPTR_MAX : addr + length;
}

/* The first range that ends after addr: ranges do not overlap, so the ends are sorted too. */
static inline size_t first_after(const struct ranges *ranges, uintptr_t addr)
{
	size_t low = 0, high = count_of(ranges);

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (load(&ranges->range[middle].end) > addr)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

bool attach_touches(uintptr_t addr, size_t length)
{
	unsigned int before = atomic_load_explicit(&sequence, memory_order_acquire);
	const struct ranges *ranges = atomic_load_explicit(&current, memory_order_acquire);
	size_t i = first_after(ranges, addr);

	if (i < count_of(ranges) && load(&ranges->range[i].start) < end_of(addr, length))
		return true;
	atomic_thread_fence(memory_order_acquire);
	return (before & 1) || atomic_load_explicit(&sequence, memory_order_relaxed) != before;
}

unsigned int attach_changes(void)
{
	return atomic_load_explicit(&sequence, memory_order_acquire);
}

/* The first that touches the range, of those that the kernel alone looks after or of the others. */
static struct attachment *find(uintptr_t addr, size_t length, bool passive)
{
	const struct ranges *ranges = atomic_load_explicit(&current, memory_order_relaxed);
	uintptr_t end = end_of(addr, length);

	for (size_t i = first_after(ranges, addr); i < count_of(ranges); i++) {
		const struct range *range = &ranges->range[i];

		if (load(&range->start) >= end)
			break;
		if ((owner_of(range)->plain || owner_of(range)->stuck) == passive)
			return owner_of(range);
	}
	return NULL;
}

struct attachment *attach_find(uintptr_t addr, size_t length)
{
	return find(addr, length, false);
}

struct attachment *attach_find_view(uintptr_t addr, size_t length)
{
	const struct ranges *ranges = atomic_load_explicit(&current, memory_order_relaxed);
	size_t i = first_after(ranges, addr);
	struct attachment *at;

	if (i >= count_of(ranges))
		return NULL;
	at = owner_of(&ranges->range[i]);
	return addr >= at->view && length <= at->length && addr - at->view <= at->length - length ? at : NULL;
}

/* Readers that started before or start during a change see the counter differ, or odd. */
static void change_begin(void)
{
	atomic_store_explicit(&sequence, sequence + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
}

static void change_end(void)
{
	atomic_store_explicit(&sequence, sequence + 1, memory_order_release);
}

static void set_range(struct range *range, uintptr_t start, uintptr_t end, struct attachment *owner)
{
	atomic_store_explicit(&range->start, start, memory_order_relaxed);
	atomic_store_explicit(&range->end, end, memory_order_relaxed);
	atomic_store_explicit(&range->owner, owner, memory_order_relaxed);
}

static void copy_range(struct range *to, const struct range *from)
{
	set_range(to, load(&from->start), load(&from->end), owner_of(from));
}

/* Within a change, and with room for it. */
static void insert_range(struct ranges *ranges, uintptr_t start, size_t length, struct attachment *owner)
{
	size_t at = first_after(ranges, start);

	for (size_t i = count_of(ranges); i > at; i--)
		copy_range(&ranges->range[i], &ranges->range[i - 1]);
	set_range(&ranges->range[at], start, start + length, owner);
	atomic_store_explicit(&ranges->count, count_of(ranges) + 1, memory_order_relaxed);
}

static void drop_ranges(struct ranges *ranges, const struct attachment *owner)
{
	size_t kept = 0;

	for (size_t i = 0; i < count_of(ranges); i++)
		if (owner_of(&ranges->range[i]) != owner)
			copy_range(&ranges->range[kept++], &ranges->range[i]);
	atomic_store_explicit(&ranges->count, kept, memory_order_relaxed);
}

/* The array, with room for one attachment more; NULL: no memory. */
static struct ranges *room(void)
{
	struct ranges *old = atomic_load_explicit(&current, memory_order_relaxed);
	struct ranges *larger;
	size_t capacity = 2 * old->capacity;

	if (count_of(old) + 2 <= old->capacity)
		return old;
	larger = heap_allocate(sizeof(*larger) + capacity * sizeof(larger->range[0]));
	if (larger == NULL)
		return NULL;
	larger->capacity = capacity;
	larger->range = (struct range *)(larger + 1);
	for (size_t i = 0; i < count_of(old); i++)
		copy_range(&larger->range[i], &old->range[i]);
	atomic_store_explicit(&larger->count, count_of(old), memory_order_relaxed);
	atomic_store_explicit(&current, larger, memory_order_release);
	return larger;
}

static void free_slot(union slot *slot)
{
	slot->next_free = free_slots;
	free_slots = slot;
}

static void more_slots(void)
{
	union slot *page = heap_allocate(PAGE_BYTES);

	for (size_t i = 0; page != NULL && i < SLOTS_PER_PAGE; i++)
		free_slot(&page[i]);
}

static union slot *take_slot(void)
{
	union slot *slot;

	if (free_slots == NULL && first_slots_used < STATIC_ATTACHMENTS)
		return &first_slots[first_slots_used++];
	if (free_slots == NULL)
		more_slots();
	slot = free_slots;
	if (slot != NULL)
		free_slots = slot->next_free;
	return slot;
}

static void drop_stale(uintptr_t addr, size_t length)
{
	struct attachment *old;

	while (length != 0 && ((old = find(addr, length, true)) != NULL || (old = find(addr, length, false)) != NULL))
		attach_remove(old);
}

struct attachment *attach_add(const struct attachment *attachment)
{
	struct ranges *ranges;
	union slot *slot;

	drop_stale(attachment->window, attachment->region);
	if (attachment->shadow != 0)
		drop_stale(attachment->shadow, attachment->length);
	ranges = room();
	slot = ranges != NULL ? take_slot() : NULL;
	if (slot == NULL)
		return NULL;
	slot->attachment = *attachment;
	change_begin();
	insert_range(ranges, attachment->window, attachment->region, &slot->attachment);
	if (attachment->shadow != 0)
		insert_range(ranges, attachment->shadow, attachment->length, &slot->attachment);
	change_end();
	attachments++;
	return &slot->attachment;
}

void attach_remove(struct attachment *attachment)
{
	change_begin();
	drop_ranges(atomic_load_explicit(&current, memory_order_relaxed), attachment);
	change_end();
	attachments--;
	free_slot((union slot *)attachment);
}

void attach_forget(uintptr_t addr, size_t length)
{
	struct attachment *at;

	while ((at = find(addr, length, true)) != NULL)
		attach_remove(at);
}

size_t attach_count(void)
{
	return attachments;
}

struct attachment *attach_at(size_t index)
{
	const struct ranges *ranges = atomic_load_explicit(&current, memory_order_relaxed);

	for (size_t i = 0;; i++) {
		struct attachment *at = owner_of(&ranges->range[i]);

		if (load(&ranges->range[i].start) == at->window && index-- == 0)
			return at;
	}
}
