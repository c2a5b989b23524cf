/* SPDX-License-Identifier: PostgreSQL */
/*
 * test-options.c - what the environment variables mean, and which values are refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "options.h"

/* The environment of a test: names and values in turn. */
static const char *const *given;

static const char *from_given(const char *name)
{
	for (const char *const *pair = given; *pair != NULL; pair += 2)
		if (strcmp(pair[0], name) == 0)
			return pair[1];
	return NULL;
}

#define READ(options, ...) \
	(given = (const char *const[]){ __VA_ARGS__ __VA_OPT__(,) NULL }, options_read(options, from_given))

static void sizes_that_make_sense(void **state)
{
	static const struct {
		const char *text;
		size_t bytes;
	} cases[] = {
		{ "0", 0 },	      { "4096", 4096 },		 { "512B", 512 },	{ "1k", 1024 },
		{ "1kB", 1024 },      { "8K", 8192 },		 { "64MB", 64UL << 20 }, { "64 MB", 64UL << 20 },
		{ "64M", 64UL << 20 }, { "1g", 1UL << 30 }, { "64 ", 64 },	 { "300GB", 300UL << 30 }, { "2T", 2UL << 40 },
		{ "16777215TB", 16777215UL << 40 }, { "18446744073709551615", SIZE_MAX },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t bytes = 1;

		assert_true(options_parse_size(cases[i].text, &bytes));
		assert_int_equal(bytes, cases[i].bytes);
	}
}

static void sizes_that_do_not(void **state)
{
	static const char *const cases[] = {
		"",	 "MB",	   "-1",     "+1",	" 64MB", "64MiB", "64MBx", "1.5GB", "0x10",
		"1e6",	 "64 M B", "many",   "64,000", "18446744073709551616", "16777216TB", "17179869184GB",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t bytes = 1;

		assert_false(options_parse_size(cases[i], &bytes));
		assert_int_equal(bytes, 1);
	}
}

static void defaults(void **state)
{
	struct options options;

	(void)state;
	assert_true(READ(&options));
	assert_true(options.on);
	assert_false(options.strict);
	assert_int_equal(options.min_size, 64UL << 20);
	assert_int_equal(options.log, LOG_LEVEL_WARN);
	assert_string_equal(options.mount, "/sys/fs/mshare");
}

static void every_option_is_read(void **state)
{
	struct options options;

	(void)state;
	assert_true(READ(&options, "MSHARE", "off", "MSHARE_MIN_SIZE", "2MB", "MSHARE_MOUNT", "/mnt/m",
			 "MSHARE_LOG", "debug", "MSHARE_STRICT", "1"));
	assert_false(options.on);
	assert_true(options.strict);
	assert_int_equal(options.min_size, 2UL << 20);
	assert_int_equal(options.log, LOG_LEVEL_DEBUG);
	assert_string_equal(options.mount, "/mnt/m");
}

static void backends_in_order(void **state)
{
	static const char *const nonsense[] = { "", ",", "msharefs,", "thp,thp", "none,thp", "auto,thp", "swap", "thp hugetlb" };
	struct options options;

	(void)state;
	assert_true(READ(&options, "MSHARE_BACKEND", "auto"));
	assert_int_equal(options.backend_count, 3);
	assert_int_equal(options.backends[0], BACKEND_MSHAREFS);
	assert_int_equal(options.backends[1], BACKEND_HUGETLB);
	assert_int_equal(options.backends[2], BACKEND_THP);
	assert_false(options.backends_named);
	assert_true(READ(&options, "MSHARE_BACKEND", "thp,MSHAREFS,hugetlb,none"));
	assert_int_equal(options.backend_count, 4);
	assert_int_equal(options.backends[0], BACKEND_THP);
	assert_int_equal(options.backends[1], BACKEND_MSHAREFS);
	assert_int_equal(options.backends[3], BACKEND_NONE);
	assert_true(options.backends_named);
	for (size_t i = 1; i < sizeof(nonsense) / sizeof(nonsense[0]); i++)
		assert_false(READ(&options, "MSHARE_BACKEND", nonsense[i]));
}

static void the_other_options(void **state)
{
	struct options options;

	(void)state;
	assert_true(READ(&options, "MSHARE_HUGE", "never", "MSHARE_PREFAULT", "1", "MSHARE_LOG_FILE", "/tmp/l",
			 "MSHARE_PROGRAMS", "a:/b/c"));
	assert_int_equal(options.huge, HUGE_NEVER);
	assert_true(options.prefault);
	assert_string_equal(options.log_file, "/tmp/l");
	assert_string_equal(options.programs, "a:/b/c");
	assert_true(READ(&options, "MSHARE_HUGE", "Advise"));
	assert_int_equal(options.huge, HUGE_ADVISE);
	assert_false(READ(&options, "MSHARE_HUGE", "default"));
	assert_false(READ(&options, "MSHARE_LOG_FILE", "l"));
}

static void programs_by_name_and_path(void **state)
{
	(void)state;
	assert_true(options_program_listed("postgres", "/usr/lib/postgresql/15/bin/postgres"));
	assert_true(options_program_listed("a:postgres:b", "postgres"));
	assert_true(options_program_listed("::/bin/x:", "/bin/x"));
	assert_false(options_program_listed("/bin/x", "/usr/bin/x"));
	assert_false(options_program_listed("postgres", "/usr/bin/postgresql"));
	assert_false(options_program_listed("postgresql", "/usr/bin/postgres"));
	assert_false(options_program_listed("", "/usr/bin/postgres"));
	assert_false(options_program_listed(":", "/usr/bin/"));
}

/* Who names none has said that ordinary memory will do. */
static void strict_needs_a_backend(void **state)
{
	struct options options;

	(void)state;
	assert_true(READ(&options, "MSHARE_STRICT", "1", "MSHARE_BACKEND", "thp,hugetlb"));
	assert_true(options.strict);
	assert_true(READ(&options, "MSHARE_STRICT", "1", "MSHARE_BACKEND", "thp,none"));
	assert_false(options.strict);
	assert_true(READ(&options, "MSHARE_STRICT", "1", "MSHARE_BACKEND", "none"));
	assert_false(options.strict);
}

static void words_for_yes_and_no(void **state)
{
	static const char *const words[2][5] = { { "off", "0", "no", "false", "OFF" },
						 { "on", "1", "yes", "true", "On" } };
	struct options options;

	(void)state;
	for (int truth = 0; truth < 2; truth++)
		for (int i = 0; i < 5; i++) {
			assert_true(READ(&options, "MSHARE", words[truth][i], "MSHARE_STRICT", words[truth][i]));
			assert_int_equal(options.on, truth);
			assert_int_equal(options.strict, truth);
		}
}

static void an_empty_value_is_none(void **state)
{
	struct options options;

	(void)state;
	assert_true(READ(&options, "MSHARE", "", "MSHARE_MIN_SIZE", "", "MSHARE_MOUNT", "", "MSHARE_LOG", "",
			 "MSHARE_STRICT", ""));
	assert_true(options.on);
	assert_int_equal(options.min_size, 64UL << 20);
}

static void nonsense_turns_the_library_off(void **state)
{
	static const char *const cases[][2] = {
		{ "MSHARE", "perhaps" },  { "MSHARE_MIN_SIZE", "big" },	 { "MSHARE_MOUNT", "sys/fs/mshare" },
		{ "MSHARE_LOG", "loud" }, { "MSHARE_STRICT", "2" },
	};
	struct options options;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_false(READ(&options, cases[i][0], cases[i][1]));
		assert_false(options.on);
	}
	/* One that is right does not make up for one that is wrong. */
	assert_false(READ(&options, "MSHARE", "on", "MSHARE_LOG", "loud"));
	assert_false(options.on);
}

static void a_mount_has_to_fit(void **state)
{
	struct options options;
	char path[sizeof(options.mount) + 1];

	(void)state;
	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	assert_false(READ(&options, "MSHARE_MOUNT", path));
	path[sizeof(path) - 2] = '\0';
	assert_true(READ(&options, "MSHARE_MOUNT", path));
	assert_string_equal(options.mount, path);
}

/* The program may change its environment afterwards, as PostgreSQL does. */
static void values_are_copied(void **state)
{
	struct options options;
	char path[] = "/mnt/here";

	(void)state;
	assert_true(READ(&options, "MSHARE_MOUNT", path));
	memset(path, 'x', sizeof(path));
	assert_string_equal(options.mount, "/mnt/here");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_that_make_sense),
		cmocka_unit_test(sizes_that_do_not),
		cmocka_unit_test(defaults),
		cmocka_unit_test(every_option_is_read),
		cmocka_unit_test(backends_in_order),
		cmocka_unit_test(the_other_options),
		cmocka_unit_test(programs_by_name_and_path),
		cmocka_unit_test(strict_needs_a_backend),
		cmocka_unit_test(words_for_yes_and_no),
		cmocka_unit_test(an_empty_value_is_none),
		cmocka_unit_test(nonsense_turns_the_library_off),
		cmocka_unit_test(a_mount_has_to_fit),
		cmocka_unit_test(values_are_copied),
	};

	return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
