/* SPDX-License-Identifier: PostgreSQL */
/*
 * attach.c - the table of redirected mappings.
 *
 * Entries are packed at the front of static arrays, so a table in use by one server costs one page and
 * a lookup reads as many entries as there are.  What the lock-free lookup reads is kept apart in
 * `ranges` as atomics.  See attach.h for the locking.
 */
#include "attach.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "real.h"

/* What a call may not touch unnoticed: first byte and first byte after. */
struct ranges {
	_Atomic uintptr_t window, window_end;
	_Atomic uintptr_t shadow, shadow_end;
};

static struct attachment table[ATTACH_MAX];
static struct ranges ranges[ATTACH_MAX];
static _Atomic size_t count;
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

/*
 * The thread that forks takes the lock and both its copies release it: a plain mutex does not mind that
 * the child's thread has another id.
 */
void attach_fork_prepare(void)
{
	attach_lock();
}

void attach_fork_done(void)
{
	attach_unlock();
}

static inline uintptr_t load(const _Atomic uintptr_t *value)
{
	return atomic_load_explicit(value, memory_order_relaxed);
}

static inline void store(_Atomic uintptr_t *value, uintptr_t to)
{
	atomic_store_explicit(value, to, memory_order_relaxed);
}

static inline bool touches(const struct ranges *range, uintptr_t addr, uintptr_t end)
{
	return (addr < load(&range->window_end) && load(&range->window) < end) ||
	       (addr < load(&range->shadow_end) && load(&range->shadow) < end);
}

/* A range that wraps around is none for the kernel either; it answers for that. */
static inline uintptr_t end_of(uintptr_t addr, size_t length)
{
	return addr + length < addr ? UINTPTR_MAX : addr + length;
}

bool attach_touches(uintptr_t addr, size_t length)
{
	unsigned int before = atomic_load_explicit(&sequence, memory_order_acquire);
	size_t n = atomic_load_explicit(&count, memory_order_relaxed);
	uintptr_t end = end_of(addr, length);

	for (size_t i = 0; i < n; i++)
		if (touches(&ranges[i], addr, end))
			return true;
	atomic_thread_fence(memory_order_acquire);
	return (before & 1) || atomic_load_explicit(&sequence, memory_order_relaxed) != before;
}

struct attachment *attach_find(uintptr_t addr, size_t length)
{
	uintptr_t end = end_of(addr, length);

	for (size_t i = 0; i < attach_count(); i++)
		if (touches(&ranges[i], addr, end))
			return &table[i];
	return NULL;
}

struct attachment *attach_find_view(uintptr_t addr, size_t length)
{
	for (size_t i = 0; i < attach_count(); i++) {
		const struct attachment *at = &table[i];

		if (addr >= at->view && length <= at->length && addr - at->view <= at->length - length)
			return &table[i];
	}
	return NULL;
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

static void set_entry(size_t i, const struct attachment *attachment)
{
	table[i] = *attachment;
	store(&ranges[i].window, attachment->window);
	store(&ranges[i].window_end, attachment->window + attachment->region);
	store(&ranges[i].shadow, attachment->shadow);
	store(&ranges[i].shadow_end, attachment->shadow + attachment->length);
}

struct attachment *attach_add(const struct attachment *attachment)
{
	size_t n = attach_count();

	if (n == ATTACH_MAX)
		return NULL;
	change_begin();
	set_entry(n, attachment);
	atomic_store_explicit(&count, n + 1, memory_order_relaxed);
	change_end();
	return &table[n];
}

void attach_remove(struct attachment *attachment)
{
	size_t i = (size_t)(attachment - table);
	size_t last = attach_count() - 1;

	change_begin();
	if (i != last)
		set_entry(i, &table[last]);
	atomic_store_explicit(&count, last, memory_order_relaxed);
	change_end();
}

size_t attach_count(void)
{
	return atomic_load_explicit(&count, memory_order_relaxed);
}

struct attachment *attach_at(size_t index)
{
	return &table[index];
}
