/* SPDX-License-Identifier: PostgreSQL */
/*
 * forbid.c - forbid CALL ERROR COMMAND...: a command to which the kernel answers a system call with an error, as
 * sandboxes do: EPERM or ENOSYS.
 */
#include <err.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/seccomp.h>

static const struct {
	const char *name;
	unsigned int number;
} calls[] = {
	{ "ioctl", SYS_ioctl },
	{ "open", SYS_open },
	{ "fstatfs", SYS_fstatfs },
	{ "readlink", SYS_readlink },
};

static unsigned int number_of(const char *name)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (strcmp(calls[i].name, name) == 0)
			return calls[i].number;
	errx(2, "'%s' is no system call known here; expected one of: ioctl, open, fstatfs, readlink", name);
}

static void forbid(unsigned int number, unsigned int error)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(filter[0]), filter };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
		err(1, "seccomp");
}

int main(int argc, char **argv)
{
	if (argc < 4)
		errx(2, "usage: forbid CALL ERROR COMMAND [ARGUMENT]...");
	forbid(number_of(argv[1]), strcmp(argv[2], "ENOSYS") == 0 ? ENOSYS : EPERM);
	execvp(argv[3], argv + 3);
	err(127, "%s", argv[3]);
}
