/* SPDX-License-Identifier: PostgreSQL */
/*
 * init.c - when the library is loaded.
 *
 * Nothing depends on this having run: constructors of the program's libraries run before ours, and what
 * they call initialises itself.  Here is done what is too late or not allowed later.
 */
#include "fork.h"
#include "options.h"
#include "real.h"

/* For zero.ld, whose section is in the file as this is. */
__attribute__((section(".zero"), used)) static unsigned char in_file = 1;

__attribute__((constructor)) static void init(void)
{
	fork_init();
	real_init();
	/* Reads the environment, so that a mistake in it is told now and not at some later mmap(). */
	if (options_get()->on)
		fork_watch();
}
