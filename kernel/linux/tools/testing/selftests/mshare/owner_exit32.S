/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For owner.c: a program of 32 bits that exits at once, with status 0.
 */
	.globl	_start
_start:
	movl	$1, %eax	/* exit, with the numbers of 32 bits */
	xorl	%ebx, %ebx
	int	$0x80

	.section .note.GNU-stack, "", @progbits
