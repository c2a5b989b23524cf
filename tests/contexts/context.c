/* SPDX-License-Identifier: PostgreSQL */
/*
 * context.c - a library to preload that runs a program's main() where $CONTEXT says: in a thread, in a child, in a
 * signal handler, from a constructor before the preload library's own, ...
 *
 * Preloaded behind the library under test, so that its constructor comes first.
 */
#include <dlfcn.h>
#include <err.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mshare.h"

typedef int (*main_function)(int, char **, char **);
typedef int (*start_function)(main_function, int, char **, void (*)(void), void (*)(void), void (*)(void), void *);

static struct {
	main_function main;
	int argc;
	char **argv, **envp;
	int status;
} program;

/* On standard error, the one place that can be written in a chroot or without descriptors; same.sh looks for it. */
static void report(void)
{
	int (*stats)(struct mshare_counters *) = (int (*)(struct mshare_counters *))dlsym(RTLD_DEFAULT, "mshare_stats");
	struct mshare_counters counters = { .size = sizeof(counters) };

	if (stats != NULL && stats(&counters) == 0)
		fprintf(stderr, "context: redirected=%lu demoted=%lu\n", counters.redirected, counters.demoted);
}

static void run(void)
{
	program.status = program.main(program.argc, program.argv, program.envp);
	report();
}

static void *run_in_thread(void *argument)
{
	run();
	return argument;
}

static void in_thread(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, run_in_thread, NULL) != 0 || pthread_join(thread, NULL) != 0)
		errx(1, "no thread");
}

static void run_in_handler(int signal)
{
	(void)signal;
	run();
}

/* With every other signal held, and on a stack of its own, as handlers of SIGSEGV have. */
static void in_handler(void)
{
	static char stack[1 << 20];
	stack_t alternate = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction action = { .sa_handler = run_in_handler, .sa_flags = SA_ONSTACK };

	sigaltstack(&alternate, NULL);
	sigaction(SIGUSR2, &action, NULL);
	raise(SIGUSR2);
}

static void wait_for(pid_t child)
{
	int status;

	if (child < 0 || waitpid(child, &status, 0) != child)
		err(1, "no child");
	program.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void in_child(void)
{
	pid_t child = fork();

	if (child == 0) {
		run();
		fflush(NULL);
		_exit(program.status);
	}
	wait_for(child);
}

/* The children start over, in no context. */
static void by_vfork(void)
{
	pid_t child;

	unsetenv("CONTEXT");
	child = vfork();
	if (child == 0) {
		execv("/proc/self/exe", program.argv);
		_exit(127);
	}
	wait_for(child);
}

static void by_spawn(void)
{
	pid_t child;

	unsetenv("CONTEXT");
	if (posix_spawn(&child, "/proc/self/exe", NULL, NULL, program.argv, environ) != 0)
		errx(1, "posix_spawn");
	wait_for(child);
}

static void by_exec(void)
{
	unsetenv("CONTEXT");
	execv("/proc/self/exe", program.argv);
	err(1, "exec");
}

/* Not one more can be opened. */
static void without_descriptors(void)
{
	struct rlimit limit = { 3, 3 };

	closefrom(3);
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		err(1, "setrlimit");
	run();
}

/* What the program leaves open it shows as output. */
static void showing_descriptors(void)
{
	run();
	fflush(NULL);
	for (int fd = 0; fd < 1000; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			printf("descriptor %d is open\n", fd);
}

static void at_exit(void)
{
	run();
	fflush(NULL);
	_exit(program.status);
}

static void in_destructor(void)
{
	atexit(at_exit);
	exit(1);
}

static const struct context {
	const char *name;
	void (*run)(void);
} contexts[] = {
	{ "thread", in_thread },
	{ "handler", in_handler },
	{ "child", in_child },
	{ "vfork", by_vfork },
	{ "spawn", by_spawn },
	{ "exec", by_exec },
	{ "destructor", in_destructor },
	{ "no-descriptors", without_descriptors },
	{ "descriptors", showing_descriptors },
};

static int main_in_context(int argc, char **argv, char **envp)
{
	const char *name = getenv("CONTEXT");

	program.argc = argc;
	program.argv = argv;
	program.envp = envp;
	for (size_t i = 0; i < sizeof(contexts) / sizeof(contexts[0]); i++)
		if (name != NULL && strcmp(name, contexts[i].name) == 0) {
			contexts[i].run();
			return program.status;
		}
	if (name != NULL)
		errx(1, "CONTEXT=%s makes no sense", name);
	run();
	return program.status;
}

__attribute__((visibility("default"))) int __libc_start_main(main_function main, int argc, char **argv,
							       void (*init)(void), void (*fini)(void),
							       void (*rtld_fini)(void), void *stack_end)
{
	start_function next = (start_function)dlsym(RTLD_NEXT, "__libc_start_main");

	program.main = main;
	return next(main_in_context, argc, argv, init, fini, rtld_fini, stack_end);
}

/* The program is not even started then: the snippets export their main(). */
__attribute__((constructor)) static void in_constructor(int argc, char **argv, char **envp)
{
	const char *name = getenv("CONTEXT");

	if (name == NULL || strcmp(name, "constructor") != 0)
		return;
	program.main = (main_function)dlsym(RTLD_DEFAULT, "main");
	if (program.main == NULL)
		return;
	program.argc = argc;
	program.argv = argv;
	program.envp = envp;
	unsetenv("CONTEXT");
	run();
	fflush(NULL);
	_exit(program.status);
}
