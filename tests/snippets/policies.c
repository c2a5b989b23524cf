/* SPDX-License-Identifier: PostgreSQL */
/*
 * policies.c - on which node memory is to be, and moving there what is in memory: on two nodes, if the machine has them.
 * Expects: redirected=6 demoted=4
 */
#include <sys/syscall.h>

#include "snippet.h"

#ifndef SYS_set_mempolicy_home_node
#define SYS_set_mempolicy_home_node	450
#endif
#define MPOL_BIND	2
#define MPOL_F_NODE	1
#define MPOL_F_ADDR	2
#define MPOL_MF_STRICT	1
#define MPOL_MF_MOVE	2
#define MPOL_MF_MOVE_ALL	4

static unsigned long last_node;

static long bind_to(char *memory, size_t size, unsigned long node, int flags)
{
	unsigned long nodes = 1UL << node;

	return syscall(SYS_mbind, memory, size, MPOL_BIND, &nodes, 8L, flags);
}

static long set_home(char *memory, size_t size, unsigned long node, unsigned long flags)
{
	return syscall(SYS_set_mempolicy_home_node, memory, size, node, flags);
}

static void show_page(const char *what, char *page)
{
	int mode = -1, node = -1;

	syscall(SYS_get_mempolicy, &mode, NULL, 0L, page, (unsigned long)MPOL_F_ADDR);
	syscall(SYS_get_mempolicy, &node, NULL, 0L, page, (unsigned long)(MPOL_F_ADDR | MPOL_F_NODE));
	printf("%s: policy %d, on node %s\n", what, mode, node == (int)last_node ? "last" : node == 0 ? "0" : "?");
}

static void home_node(void)
{
	char *memory = map_shared(SIZE);

	/* Without a policy there is nothing that it could be the home of. */
	SHOW(set_home(memory, SIZE, 0, 0));
	SHOW(bind_to(memory, SIZE, last_node, 0));
	SHOW(set_home(memory, SIZE, last_node, 0));
	fill(memory, SIZE, 1);
	show_page("bound before it was touched", memory + MEGA);
	SHOW(set_home(memory, SIZE, 1000, 0));
	SHOW(set_home(memory, SIZE, 0, 1));
	SHOW(set_home(memory + 1, SIZE, 0, 0));
	SHOW(set_home(memory, 0, 0, 0));
	printf("%zu wrong\n", wrong_pages(memory, SIZE, 1));
	SHOW(munmap(memory, SIZE));
}

/* Half of it, in whole huge pages */
static void home_of_a_part(void)
{
	char *memory = map_shared(SIZE);

	SHOW(bind_to(memory, SIZE, 0, 0));
	fill(memory, SIZE, 2);
	SHOW(set_home(memory + SIZE / 2, SIZE / 2, 0, 0));
	show_page("first half", memory);
	show_page("second half", memory + SIZE / 2);
	printf("%zu wrong\n", wrong_pages(memory, SIZE, 2));
	SHOW(munmap(memory, SIZE));
}

static void move_all(char *memory)
{
	SHOW(bind_to(memory, SIZE, 0, MPOL_MF_MOVE));
	show_page("moved to node 0", memory + MEGA);
	SHOW(bind_to(memory, SIZE, last_node, MPOL_MF_MOVE));
	show_page("moved to the last node", memory + MEGA);
	SHOW(bind_to(memory, SIZE, last_node, MPOL_MF_STRICT));
	SHOW(bind_to(memory, SIZE, 0, MPOL_MF_MOVE_ALL | MPOL_MF_STRICT));
	show_page("moved back, strictly", memory + MEGA);
	SHOW(bind_to(memory, SIZE, 0, 1 << 10));
}

static void moves(void)
{
	char *memory = map_shared(SIZE);

	fill(memory, SIZE, 3);
	move_all(memory);
	printf("%zu wrong\n", wrong_pages(memory, SIZE, 3));
	/* What is shared stays so. */
	IN_CHILD(printf("%zu wrong\n", wrong_pages(memory, SIZE, 3)); fill(memory, SIZE, 4));
	printf("%zu wrong\n", wrong_pages(memory, SIZE, 4));
	SHOW(munmap(memory, SIZE));
}

static void moves_a_part(void)
{
	char *memory = map_shared(SIZE);

	fill(memory, SIZE, 5);
	SHOW(bind_to(memory, SIZE / 2, last_node, MPOL_MF_MOVE));
	show_page("first half", memory);
	printf("%zu wrong\n", wrong_pages(memory, SIZE, 5));
	SHOW(munmap(memory, SIZE));
}

static void moves_a_segment(void)
{
	int id = new_segment(SIZE);
	char *memory = shmat(id, NULL, 0), *other;

	fill(memory, SIZE, 6);
	SHOW(bind_to(memory, SIZE, last_node, MPOL_MF_MOVE));
	show_page("segment", memory + MEGA);
	/* Not before: what others have a window on does not move, but with MPOL_MF_MOVE_ALL. */
	other = shmat(id, NULL, 0);
	SHOW(shmctl(id, IPC_RMID, NULL));
	printf("nattch %ld\n", nattch(id));
	printf("%zu wrong\n", wrong_pages(other, SIZE, 6));
	fill(other, SIZE, 7);
	printf("%zu wrong\n", wrong_pages(memory, SIZE, 7));
	SHOW(shmdt(memory));
	SHOW(shmdt(other));
}

int main(void)
{
	last_node = access("/sys/devices/system/node/node1", F_OK) == 0;
	home_node();
	home_of_a_part();
	moves();
	moves_a_part();
	moves_a_segment();
	return 0;
}
