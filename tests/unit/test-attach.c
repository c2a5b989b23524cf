/* SPDX-License-Identifier: PostgreSQL */
/*
 * test-attach.c - the table of redirected mappings: what touches what, packing, threads, fork.
 *
 * Addresses are made up; nothing is mapped.
 */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "attach.h"

#define SLOT	(1UL << 39)
#define GIGA	(1UL << 30)
#define MANY	1000

/* The n-th attachment: 2 GB in the middle of slot n, its shadow far below. */
static struct attachment made_up(uintptr_t n)
{
	return (struct attachment){ .window = n * SLOT,
				    .region = SLOT,
				    .view = n * SLOT + GIGA,
				    .length = 2 * GIGA,
				    .shadow = n * 4 * GIGA,
				    .page_size = 4096 };
}

static struct attachment *add(uintptr_t n)
{
	struct attachment at = made_up(n);
	struct attachment *added;

	attach_lock();
	added = attach_add(&at);
	attach_unlock();
	return added;
}

static int empty_table(void **state)
{
	(void)state;
	attach_lock();
	while (attach_count() > 0)
		attach_remove(attach_at(0));
	attach_unlock();
	return 0;
}

static void an_empty_table_touches_nothing(void **state)
{
	(void)state;
	assert_false(attach_touches(0, SIZE_MAX));
	assert_null(attach_find(0, SIZE_MAX));
	assert_null(attach_find_view(0, 1));
}

static void every_edge_of_window_and_shadow(void **state)
{
	(void)state;
	assert_non_null(add(100));
	assert_false(attach_touches(100 * SLOT - 4096, 4096));
	assert_true(attach_touches(100 * SLOT - 4096, 4097));
	assert_true(attach_touches(100 * SLOT, 1));
	assert_true(attach_touches(101 * SLOT - 1, 1));
	assert_false(attach_touches(101 * SLOT, 4096));
	assert_false(attach_touches(400 * GIGA - 1, 1));
	assert_true(attach_touches(400 * GIGA, 1));
	assert_true(attach_touches(402 * GIGA - 1, 1));
	assert_false(attach_touches(402 * GIGA, 1));
	assert_true(attach_touches(0, SIZE_MAX));
}

static void a_range_that_wraps_around(void **state)
{
	(void)state;
	add(100);
	assert_true(attach_touches(50 * SLOT, SIZE_MAX));
	assert_false(attach_touches(200 * SLOT, SIZE_MAX));
}

static void a_view_holds_only_what_is_inside(void **state)
{
	uintptr_t view = 100 * SLOT + GIGA;
	struct attachment *at = add(100);

	(void)state;
	assert_ptr_equal(attach_find_view(view, 2 * GIGA), at);
	assert_ptr_equal(attach_find_view(view + 2 * GIGA - 1, 1), at);
	assert_null(attach_find_view(view, 2 * GIGA + 1));
	assert_null(attach_find_view(view - 1, 2));
	assert_null(attach_find_view(view + GIGA, SIZE_MAX));
	assert_null(attach_find_view(100 * SLOT, 1));
	assert_null(attach_find_view(at->shadow, 1));
}

static void removal_keeps_the_others(void **state)
{
	(void)state;
	for (uintptr_t n = 100; n < 104; n++)
		add(n);
	attach_lock();
	attach_remove(attach_find(101 * SLOT, 1));
	attach_remove(attach_find(103 * SLOT, 1));
	assert_int_equal(attach_count(), 2);
	assert_int_equal(attach_find(100 * SLOT, 1)->view, 100 * SLOT + GIGA);
	assert_int_equal(attach_find(102 * 4 * GIGA, 1)->view, 102 * SLOT + GIGA);
	attach_unlock();
	assert_false(attach_touches(101 * SLOT, SLOT));
	assert_false(attach_touches(103 * SLOT, SLOT));
	assert_false(attach_touches(103 * 4 * GIGA, GIGA));
}

/* More than static memory holds: nothing may move that somebody points at, and all has to be found. */
static void the_table_grows(void **state)
{
	struct attachment *added[MANY];

	(void)state;
	for (uintptr_t n = 0; n < MANY; n++)
		assert_non_null(added[n] = add(100000 - n));
	assert_int_equal(attach_count(), MANY);
	for (uintptr_t n = 0; n < MANY; n++) {
		assert_ptr_equal(attach_find((100000 - n) * SLOT, 1), added[n]);
		assert_int_equal(added[n]->view, (100000 - n) * SLOT + GIGA);
		assert_ptr_equal(attach_at(MANY - 1 - n), added[n]);
	}
	assert_false(attach_touches(100001 * SLOT, SLOT));
}

/* The kernel gave addresses out again that the table knows of: then what it had there is gone. */
static void what_is_stale_goes(void **state)
{
	struct attachment at = made_up(100);

	(void)state;
	add(100);
	add(101);
	at.length = at.region = at.page_size = 4096;
	at.window = at.view = 100 * SLOT + 5 * GIGA;
	at.shadow = 0;
	at.plain = true;
	attach_lock();
	assert_non_null(attach_add(&at));
	assert_null(attach_find(100 * SLOT, SLOT));
	assert_true(attach_touches(at.view, 1));
	assert_false(attach_touches(100 * SLOT, GIGA));
	assert_int_equal(attach_count(), 2);
	attach_forget(0, SIZE_MAX);
	assert_int_equal(attach_count(), 1);
	assert_non_null(attach_find(101 * SLOT, 1));
	attach_unlock();
}

static void the_lock_nests_and_blocks_signals(void **state)
{
	sigset_t now, before;

	(void)state;
	sigprocmask(SIG_SETMASK, NULL, &before);
	attach_lock();
	attach_lock();
	attach_unlock();
	sigprocmask(SIG_SETMASK, NULL, &now);
	assert_true(sigismember(&now, SIGUSR1));
	attach_unlock();
	sigprocmask(SIG_SETMASK, NULL, &now);
	assert_int_equal(sigismember(&now, SIGUSR1), sigismember(&before, SIGUSR1));
}

static atomic_bool stop;

/* Adds and removes slots of its own for as long as the test runs. */
static void *changer(void *argument)
{
	uintptr_t n = (uintptr_t)argument;

	while (!atomic_load(&stop)) {
		add(n);
		attach_lock();
		attach_remove(attach_find(n * SLOT, 1));
		attach_unlock();
	}
	return NULL;
}

/* What stays in the table is seen at all times, and never seen where it is not for sure. */
static void lookups_during_changes(void **state)
{
	pthread_t threads[3];
	unsigned int sure = 0;

	(void)state;
	atomic_store(&stop, false);
	add(100);
	for (uintptr_t i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, changer, (void *)(200 + i));
	for (int i = 0; i < 200000; i++) {
		assert_true(attach_touches(100 * SLOT + GIGA, 4096));
		sure += !attach_touches(300 * SLOT, 4096);
	}
	atomic_store(&stop, true);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	assert_false(attach_touches(300 * SLOT, 4096));
	assert_int_equal(attach_count(), 1);
	/* "Maybe" has to be the exception, or the pass-through path is no fast path. */
	assert_true(sure > 0);
}

/* Whatever other threads were doing: the child has a whole table and a free lock. */
static void fork_during_changes(void **state)
{
	pthread_t thread;
	int status;

	(void)state;
	atomic_store(&stop, false);
	add(100);
	pthread_create(&thread, NULL, changer, (void *)200);
	for (int i = 0; i < 200; i++) {
		pid_t child;

		attach_fork_prepare();
		child = fork();
		attach_fork_done();
		if (child == 0) {
			alarm(10);
			attach_lock();
			attach_unlock();
			_exit(attach_touches(100 * SLOT, 1) && !attach_touches(300 * SLOT, 1) ? 0 : 1);
		}
		assert_true(child > 0);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
	}
	atomic_store(&stop, true);
	pthread_join(thread, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(an_empty_table_touches_nothing, empty_table),
		cmocka_unit_test_teardown(every_edge_of_window_and_shadow, empty_table),
		cmocka_unit_test_teardown(a_range_that_wraps_around, empty_table),
		cmocka_unit_test_teardown(a_view_holds_only_what_is_inside, empty_table),
		cmocka_unit_test_teardown(removal_keeps_the_others, empty_table),
		cmocka_unit_test_teardown(the_table_grows, empty_table),
		cmocka_unit_test_teardown(what_is_stale_goes, empty_table),
		cmocka_unit_test_teardown(the_lock_nests_and_blocks_signals, empty_table),
		cmocka_unit_test_teardown(lookups_during_changes, empty_table),
		cmocka_unit_test_teardown(fork_during_changes, empty_table),
	};

	return cmocka_run_group_tests_name("attach", tests, NULL, NULL);
}
