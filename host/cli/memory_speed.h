/* How fast this machine's memory can be read: the slope of a CPU's roofline. */
#ifndef SYSTOLE_CLI_MEMORY_SPEED_H
#define SYSTOLE_CLI_MEMORY_SPEED_H

/* GB/s that `threads` threads read together, each a part of an array beyond every cache
 * that the machine tells of; the best of several passes, since a peak is asked for. Takes
 * about half a second. 0: there is not memory enough for it, or no thread can start. */
double systole_memory_speed(int threads);

#endif
