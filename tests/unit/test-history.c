/* SPDX-License-Identifier: PostgreSQL */
/*
 * test-history.c - counters and the mappings that were not redirected.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "history.h"

static void counters_count(void **state)
{
	(void)state;
	history_count(HISTORY_DEMOTED);
	history_count(HISTORY_DEMOTED);
	history_count(HISTORY_FALLBACK);
	assert_int_equal(history_counter(HISTORY_DEMOTED), 2);
	assert_int_equal(history_counter(HISTORY_FALLBACK), 1);
	assert_int_equal(history_counter(HISTORY_REDIRECTED), 0);
}

static void nothing_is_found_in_nothing(void **state)
{
	(void)state;
	assert_null(history_find(0));
	assert_null(history_find(4096));
	history_remember(0, 4096, MSHARE_REASON_NO_MOUNT, 2);
	assert_null(history_find(0));
}

static void the_youngest_wins(void **state)
{
	(void)state;
	history_remember(0x10000, 0x2000, MSHARE_REASON_NO_MOUNT, 2);
	history_remember(0x11000, 0x1000, MSHARE_REASON_DEMOTED, 0);
	assert_int_equal(history_find(0x10fff)->reason, MSHARE_REASON_NO_MOUNT);
	assert_int_equal(history_find(0x10fff)->error, 2);
	assert_int_equal(history_find(0x11000)->reason, MSHARE_REASON_DEMOTED);
	assert_null(history_find(0x12000));
	assert_null(history_find(0xffff));
}

static void sixteen_are_remembered(void **state)
{
	(void)state;
	for (uintptr_t i = 0; i < 17; i++)
		history_remember(0x100000 + i * 0x1000, 0x1000, MSHARE_REASON_DEMOTED, 0);
	assert_null(history_find(0x100000));
	for (uintptr_t i = 1; i < 17; i++)
		assert_int_equal(history_find(0x100000 + i * 0x1000)->addr, 0x100000 + i * 0x1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counters_count),
		cmocka_unit_test(nothing_is_found_in_nothing),
		cmocka_unit_test(the_youngest_wins),
		cmocka_unit_test(sixteen_are_remembered),
	};

	return cmocka_run_group_tests_name("history", tests, NULL, NULL);
}
