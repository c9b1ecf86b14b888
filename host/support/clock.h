/* Two clocks: the one on the wall and the one that counts this process's work. */
#ifndef SYSTOLE_SUPPORT_CLOCK_H
#define SYSTOLE_SUPPORT_CLOCK_H

/* Seconds since an arbitrary start; never goes back. */
double systole_wall_seconds(void);

/* CPU seconds of this process, all threads together. */
double systole_cpu_seconds(void);

#endif
