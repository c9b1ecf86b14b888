/* What the rows `xrt` and `xocl` do alike: they look at options, file and kernel, and
 * notice a kernel that has fallen silent. */
#ifndef SYSTOLE_CARD_XRT_COMMON_H
#define SYSTOLE_CARD_XRT_COMMON_H

#include "card/xrt/session.h"

/* Silence of the kernel before it is given up, as in the simulation. */
enum { SYSTOLE_XRT_SILENCE_MS = 120000 };

/* A card takes none of what a simulation can be asked for; the simulated one has it in
 * its file. */
systole_status systole_xrt_check_options(const systole_device_options *o,
                                         const systole_xclbin *x, const char *file);

/* What the file and its passport promise against what the registers say. */
systole_status systole_xrt_check_geometry(const systole_xrt_session *session,
                                          const char *file);

/* A process that was killed may have left a run going, which the kernel ends by itself
 * within two seconds or never. */
systole_status systole_xrt_await_idle(const systole_xrt_session *session);

typedef struct systole_xrt_silence {
  uint32_t limit_ms;
  uint64_t moved; /* what the counters last added up to */
  double moved_at;
} systole_xrt_silence;

void systole_xrt_silence_begin(systole_xrt_silence *silence);

/* SYSTOLE_ERR_TIMEOUT for a kernel whose memory does not answer (it stays busy, with that
 * in its error register), and for one that has moved nothing for limit_ms. */
systole_status systole_xrt_silence_check(systole_xrt_silence *silence,
                                         const systole_xrt_session *session);

/* As in card.h. On a card the clock is what the file programs its generator to; the names
 * of presets live as long as the program. */
double systole_xrt_clock_mhz(const systole_xclbin *x, systole_kind *kind);
const char *systole_xrt_memory_name(const systole_xclbin *x);

#endif
