/* SPDX-License-Identifier: PostgreSQL */
/*
 * test-log.c - lines on stderr, and saying a thing once.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "log.h"

static int pipe_end[2];
static int stderr_was;

static int catch_stderr(void **state)
{
	(void)state;
	stderr_was = dup(STDERR_FILENO);
	return pipe(pipe_end) == 0 && dup2(pipe_end[1], STDERR_FILENO) >= 0 && close(pipe_end[1]) == 0 ? 0 : -1;
}

static int release_stderr(void **state)
{
	(void)state;
	dup2(stderr_was, STDERR_FILENO);
	close(stderr_was);
	close(pipe_end[0]);
	log_set_level(LOG_LEVEL_WARN);
	return 0;
}

/* What one read gets, so that a line in two writes would show. */
static const char *caught(void)
{
	static char text[4096];
	ssize_t got = read(pipe_end[0], text, sizeof(text) - 1);

	text[got > 0 ? got : 0] = '\0';
	return text;
}

static void a_line_is_one_write(void **state)
{
	char wanted[100];

	(void)state;
	log_line(LOG_LEVEL_ERROR, "%s %d", "text", 7);
	snprintf(wanted, sizeof(wanted), "mshare[%d]: error: text 7\n", getpid());
	assert_string_equal(caught(), wanted);
}

static void a_long_line_is_cut(void **state)
{
	char much[3000];
	const char *line;

	(void)state;
	memset(much, 'x', sizeof(much) - 1);
	much[sizeof(much) - 1] = '\0';
	log_line(LOG_LEVEL_ERROR, "%s", much);
	line = caught();
	assert_int_equal(strlen(line), 1024);
	assert_int_equal(line[1023], '\n');
	assert_int_equal(strcspn(line, "\n"), 1023);
}

static void levels_below_are_silent_and_errno_stays(void **state)
{
	(void)state;
	errno = E2BIG;
	log_line(LOG_LEVEL_INFO, "not this");
	log_line(LOG_LEVEL_WARN, "but this");
	assert_int_equal(errno, E2BIG);
	assert_non_null(strstr(caught(), "but this"));
	log_set_level(LOG_LEVEL_DEBUG);
	log_line(LOG_LEVEL_DEBUG, "now this");
	assert_non_null(strstr(caught(), "debug: now this"));
}

static void errno_survives_a_closed_stderr(void **state)
{
	(void)state;
	close(STDERR_FILENO);
	errno = E2BIG;
	log_line(LOG_LEVEL_ERROR, "lost");
	assert_int_equal(errno, E2BIG);
}

/* What a program has there once it closed standard error is none of ours, but a log is. */
static void a_file_of_the_program_gets_no_lines(void **state)
{
	char path[] = "/tmp/mshare-test-log-XXXXXX";
	int file = mkstemp(path);

	(void)state;
	assert_true(file >= 0 && unlink(path) == 0);
	assert_int_equal(dup2(file, STDERR_FILENO), STDERR_FILENO);
	log_line(LOG_LEVEL_ERROR, "not for this");
	assert_int_equal(lseek(file, 0, SEEK_END), 0);
	assert_int_equal(fcntl(file, F_SETFL, O_APPEND), 0);
	log_line(LOG_LEVEL_ERROR, "for this");
	assert_true(lseek(file, 0, SEEK_END) > 0);
	/* What it was at the start it stays, whatever that is. */
	assert_int_equal(fcntl(file, F_SETFL, 0), 0);
	assert_int_equal(ftruncate(file, 0), 0);
	log_init();
	log_line(LOG_LEVEL_ERROR, "for this as well");
	assert_true(lseek(file, 0, SEEK_END) > 0);
	close(file);
}

/* A pipe that nobody reads any more, and a file that may not grow, are no reason to end the program. */
static void no_line_sends_a_signal(void **state)
{
	char path[] = "/tmp/mshare-test-log-XXXXXX";
	const struct rlimit none = { 0, RLIM_INFINITY };
	struct rlimit was;
	int file = mkstemp(path);

	(void)state;
	assert_true(file >= 0 && unlink(path) == 0);
	close(pipe_end[0]);
	log_line(LOG_LEVEL_ERROR, "nobody reads this");
	assert_int_equal(dup2(file, STDERR_FILENO), STDERR_FILENO);
	assert_int_equal(fcntl(file, F_SETFL, O_APPEND), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	log_line(LOG_LEVEL_ERROR, "nor this");
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	close(file);
}

/* The program's own pending one is still there. */
static void a_signal_of_the_program_stays(void **state)
{
	sigset_t pipe_signal, pending, was;

	(void)state;
	sigemptyset(&pipe_signal);
	sigaddset(&pipe_signal, SIGPIPE);
	sigprocmask(SIG_BLOCK, &pipe_signal, &was);
	assert_int_equal(raise(SIGPIPE), 0);
	close(pipe_end[0]);
	log_line(LOG_LEVEL_ERROR, "nobody reads this");
	sigpending(&pending);
	assert_true(sigismember(&pending, SIGPIPE));
	assert_int_equal(sigwaitinfo(&pipe_signal, NULL), SIGPIPE);
	sigprocmask(SIG_SETMASK, &was, NULL);
}

/* Who does not read does not hold the program up. */
static void a_full_pipe_costs_a_line(void **state)
{
	char much[4096] = { 0 };

	(void)state;
	assert_int_equal(fcntl(STDERR_FILENO, F_SETFL, O_NONBLOCK), 0);
	while (write(STDERR_FILENO, much, sizeof(much)) > 0)
		;
	assert_int_equal(fcntl(STDERR_FILENO, F_SETFL, 0), 0);
	log_line(LOG_LEVEL_ERROR, "no room for this");
}

static void first_is_once(void **state)
{
	(void)state;
	assert_true(log_first(1));
	assert_false(log_first(1));
	assert_true(log_first(2));
}

/* Once for a family: what a child says, its parent and its siblings do not say again. */
static void first_is_once_for_a_family(void **state)
{
	int status;

	(void)state;
	log_share_once();
	assert_true(log_first(3));
	for (int i = 0; i < 2; i++) {
		pid_t child = fork();

		if (child == 0)
			_exit(log_first(3) * 2 + log_first(4));
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(WEXITSTATUS(status), i == 0 ? 1 : 0);
	}
	assert_false(log_first(4));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_line_is_one_write, catch_stderr, release_stderr),
		cmocka_unit_test_setup_teardown(a_long_line_is_cut, catch_stderr, release_stderr),
		cmocka_unit_test_setup_teardown(levels_below_are_silent_and_errno_stays, catch_stderr, release_stderr),
		cmocka_unit_test_setup_teardown(errno_survives_a_closed_stderr, catch_stderr, release_stderr),
		cmocka_unit_test_setup_teardown(a_file_of_the_program_gets_no_lines, catch_stderr, release_stderr),
		cmocka_unit_test_setup_teardown(no_line_sends_a_signal, catch_stderr, release_stderr),
		cmocka_unit_test_setup_teardown(a_signal_of_the_program_stays, catch_stderr, release_stderr),
		cmocka_unit_test_setup_teardown(a_full_pipe_costs_a_line, catch_stderr, release_stderr),
		cmocka_unit_test(first_is_once),
		cmocka_unit_test(first_is_once_for_a_family),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
