/* SPDX-License-Identifier: PostgreSQL */
/*
 * access.c - reading and writing what is mapped, by the processor and by the kernel on our behalf.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "run.h"

static sigjmp_buf fault_jump;
static volatile int fault_signal, fault_code;

static void on_fault(int signal, siginfo_t *info, void *context)
{
	(void)context;
	fault_signal = signal;
	fault_code = info->si_code;
	siglongjmp(fault_jump, 1);
}

void access_init(void)
{
	/* NODEFER, so that no signal mask has to be saved and restored for each access. */
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER };

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
}

enum access_kind { ACCESS_READ, ACCESS_WRITE };

/* False: faulted, as fault_signal and fault_code tell. */
static bool touch(uintptr_t addr, enum access_kind kind, uint64_t *value)
{
	volatile uint64_t *word = (volatile uint64_t *)addr;

	if (sigsetjmp(fault_jump, 0) != 0)
		return false;
	if (kind == ACCESS_READ)
		*value = *word;
	else
		*word = *value;
	return true;
}

static void log_fault(struct run *run)
{
	run_log(run, "%s.%d", fault_signal == SIGBUS ? "BUS" : "SEGV", run->fault_codes ? fault_code : 0);
}

static void log_read(struct run *run, uintptr_t addr, uint64_t *value)
{
	if (touch(addr, ACCESS_READ, value))
		run_log(run, "%lx", *value);
	else
		log_fault(run);
}

static void log_access(struct run *run, uintptr_t page)
{
	uint64_t value = 0, written = 0;

	log_read(run, page, &value);
	/* What was read is written back, so that looking changes nothing. */
	written = value;
	run_log(run, "/");
	if (touch(page, ACCESS_WRITE, &written))
		run_log(run, "w ");
	else
		log_fault(run), run_log(run, " ");
}

void access_log_mapping(struct run *run, const struct mapping *mapping)
{
	run_log(run, "  m%d: ", run_mapping_index(run, mapping));
	for (size_t i = 0; i < mapping->pages; i++)
		log_access(run, mapping->base + i * PAGE);
	run_log(run, "\n");
}

void access_log_some(struct run *run, const struct mapping *mapping)
{
	for (int i = 0; i < 2; i++) {
		size_t page = run_below(run, mapping->pages);

		run_log(run, " p%zu:", page);
		log_access(run, mapping->base + page * PAGE);
	}
}

static void write_some(struct run *run, const struct mapping *mapping)
{
	size_t stride = 1 + run_below(run, 6);
	uint64_t value;

	run_log(run, "write every %zu pages of m%d:", stride, run_mapping_index(run, mapping));
	for (size_t i = run_below(run, stride); i < mapping->pages; i += stride) {
		value = run_random(run) % 100000;
		if (!touch(mapping->base + i * PAGE, ACCESS_WRITE, &value)) {
			run_log(run, " p%zu ", i);
			log_fault(run);
		}
	}
}

void op_touch(struct run *run)
{
	struct mapping *mapping = run_pick_mapping(run);
	uint64_t value = 0;

	if (mapping == NULL)
		return;
	if (run_chance(run, 60)) {
		write_some(run, mapping);
		return;
	}
	run_log(run, "read m%d:", run_mapping_index(run, mapping));
	for (size_t i = 0; i < mapping->pages; i += 1 + run_below(run, 8)) {
		run_log(run, " p%zu ", i);
		log_read(run, mapping->base + i * PAGE, &value);
	}
}

/* Through a pipe, whose buffer takes two pages: how many bytes, or EFAULT. */
static void through_pipe(struct run *run, const char *from, char *to, size_t length)
{
	int ends[2];
	ssize_t count;

	if (pipe2(ends, O_NONBLOCK) != 0)
		return;
	count = write(ends[1], from, length);
	run_log_result(run, count);
	count = read(ends[0], to, length);
	run_log_result(run, count);
	close(ends[0]);
	close(ends[1]);
}

/* What a debugger, or another process' call, meets. */
static void through_process_vm(struct run *run, char *from, char *to, size_t length)
{
	struct iovec local = { to, length }, remote = { from, length };
	uint64_t word = 0;
	struct iovec word_local = { &word, sizeof(word) };

	run_log_result(run, process_vm_readv(getpid(), &word_local, 1, &remote, 1, 0));
	run_log(run, " %lx", word);
	run_log_result(run, process_vm_writev(getpid(), &remote, 1, &local, 1, 0));
}

void op_transfer(struct run *run)
{
	struct mapping *first = run_pick_mapping(run), *second = run_pick_mapping(run);
	size_t length = run_chance(run, 50) ? 2 * PAGE : PAGE / 2;
	uintptr_t from, to;

	if (first == NULL)
		return;
	from = first->base + run_below(run, first->pages) * PAGE;
	to = second->base + run_below(run, second->pages) * PAGE;
	/* Where the kernel placed it, what follows the mapping is not ours to ask about. */
	if (from + length > first->base + first->pages * PAGE || to + length > second->base + second->pages * PAGE)
		length = PAGE / 2;
	run_log(run, "transfer m%d+%ld to m%d+%ld, %zu", run_mapping_index(run, first), (long)(from - first->base),
		run_mapping_index(run, second), (long)(to - second->base), length);
	if (run_chance(run, 70))
		through_pipe(run, (const char *)from, (char *)to, length);
	else
		through_process_vm(run, (char *)from, (char *)to, length);
}
