/* How a test says that it cannot run here: in a line of its own, which tests/run shows and counts. */
#ifndef CAISSON_TESTS_SKIP_H
#define CAISSON_TESTS_SKIP_H

/* Skips the cmocka test that runs. */
#define skip_because(why) (print_message("SKIPPED: %s: %s\n", __func__, why), skip())

/* The same for what a kernel has and user-mode emulation lacks: shown, and counted only when nothing is emulated. */
#define skip_emulated(lacking) (print_message("NOT EMULATED: %s: %s\n", __func__, lacking), skip())

#endif
