/* SPDX-License-Identifier: PostgreSQL */
/*
 * process.c - operations with other processes: children that go on where we are, and an outsider without the library.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run.h"
#include "worker.h"

static int outsider = -1;

/* All the ways; of the bare ones no handler of pthread_atfork() is told. */
static pid_t fork_somehow(struct run *run)
{
	static const char *const names[] = { "fork", "_Fork", "SYS_fork", "SYS_clone" };
	size_t way = run_below(run, 4);

	run_log(run, "%s", names[way]);
	switch (way) {
	case 0:
		return fork();
	case 1:
		return _Fork();
	case 2:
		return (pid_t)syscall(SYS_fork);
	default:
		return (pid_t)syscall(SYS_clone, SIGCHLD, 0L, 0L, 0L, 0L);
	}
}

static void be_child(struct run *run, int fd)
{
	size_t steps = 1 + run_below(run, 6);

	run->depth++;
	run->random ^= 0x5555;
	run_log_to(fd);
	for (size_t i = 0; i < MAX_OBJECTS; i++)
		run->objects[i].inherited = true;
	run_log(run, "\n");
	for (size_t i = 0; i < steps; i++)
		sequence_step(run);
	for (size_t i = 0; i < MAX_MAPPINGS; i++)
		if (run->mappings[i].base != 0 && run_chance(run, 50))
			access_log_mapping(run, &run->mappings[i]);
	objects_remove(run);
	_exit(7);
}

/* The child's log becomes a part of ours, after the child has ended: so both runs are in the same order. */
void op_fork(struct run *run)
{
	char text[4096];
	int ends[2], status;
	ssize_t count;
	pid_t child;

	if (run->depth > 1 || pipe(ends) != 0)
		return;
	for (size_t i = 0; i < MAX_MAPPINGS; i++)
		run->mappings[i].stuck |= run->mappings[i].huge;
	child = fork_somehow(run);
	if (child == 0) {
		close(ends[0]);
		be_child(run, ends[1]);
	}
	close(ends[1]);
	while ((count = read(ends[0], text, sizeof(text))) > 0)
		run_log_text(run, text, (size_t)count);
	close(ends[0]);
	if (child < 0 || waitpid(child, &status, 0) != child)
		run_log(run, " no child");
	else
		run_log(run, "child ended with %x", (unsigned int)status);
}

struct question {
	int id;
	int pages;
	int page;
	uint64_t value;
};

struct answer {
	int error;
	uint64_t sum;
	unsigned long attached;
};

/* Reads all of the segment and writes one word. */
static struct answer outsider_look(const struct question *question)
{
	struct answer answer = { 0 };
	struct shmid_ds segment = { 0 };
	char *memory = shmat(question->id, NULL, 0);

	if (memory == (char *)-1) {
		answer.error = errno;
		return answer;
	}
	for (int i = 0; i < question->pages; i++)
		answer.sum = answer.sum * 31 + *(uint64_t *)(memory + (size_t)i * PAGE);
	memcpy(memory + (size_t)question->page * PAGE, &question->value, sizeof(question->value));
	shmctl(question->id, IPC_STAT, &segment);
	answer.attached = segment.shm_nattch;
	shmdt(memory);
	return answer;
}

void outsider_main(void)
{
	struct question question;
	struct answer answer;

	while (read(0, &question, sizeof(question)) == sizeof(question)) {
		answer = outsider_look(&question);
		if (write(0, &answer, sizeof(answer)) != sizeof(answer))
			break;
	}
	_exit(0);
}

/* Runs this program again, without the library: MSHARE=off would still be the library. */
void outsider_start(void)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
		abort();
	if (fork() == 0) {
		dup2(ends[1], 0);
		unsetenv("LD_PRELOAD");
		execl("/proc/self/exe", "equivalence", "--outsider", (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	outsider = ends[0];
}

void op_outsider(struct run *run)
{
	struct object *object = run_pick_object(run);
	struct question question;
	struct answer answer = { 0 };

	if (object == NULL || object->kind != OBJECT_SEGMENT)
		return;
	question = (struct question){ object->id, (int)object->pages, (int)run_below(run, object->pages),
				      run_random(run) % 100000 };
	run_log(run, "outsider at o%d", run_object_index(run, object));
	if (write(outsider, &question, sizeof(question)) != sizeof(question) ||
	    read(outsider, &answer, sizeof(answer)) != sizeof(answer))
		run_log(run, " GONE");
	run_log(run, " = %s, %lx, attached %lu", answer.error ? strerrorname_np(answer.error) : "0", answer.sum,
		answer.attached);
}
