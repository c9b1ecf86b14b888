#include "engine/engine.h"

static const systole_engine_ops *const rows[] = {
#ifdef SYSTOLE_HAVE_CPU
    &systole_engine_cpu,
    &systole_engine_cpu_float,
#endif
    &systole_engine_cuda,
    &systole_engine_opencl,
    &systole_engine_opencl_float,
    /* Last: it claims every name with a card's scheme before a colon. */
    &systole_engine_accelerator,
};

const systole_engine_ops *const *systole_engine_rows(size_t *count) {
  *count = sizeof rows / sizeof rows[0];
  return rows;
}
