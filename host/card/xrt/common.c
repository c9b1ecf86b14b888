#include "card/xrt/common.h"

#include <stdio.h>
#include <string.h>

#include "card/passport.h"
#include "card/systole_isa.h"
#include "support/clock.h"
#include "support/error.h"

enum { kIdleMs = 2000 };

/* A card takes none of what a simulation can be asked for; the simulated one has it in
 * its file. */
systole_status systole_xrt_check_options(const systole_device_options *o,
                                         const systole_xclbin *x, const char *file) {
  const char *preset = x->simulated ? x->image.memory : NULL;
  if (o->memory && (!preset || strcmp(o->memory, preset) != 0)) {
    return systole_fail(
        SYSTOLE_ERR_ARGUMENT, "memory \"%s\" was asked for; %s %s%s%s", o->memory, file,
        preset ? "is simulated with \"" : "is for a card, which has its own memory",
        preset ? preset : "",
        preset ? "\" (another file: systole_xclbin --memory PRESET)" : "");
  }
  const char *what = o->trace_path       ? "a waveform"
                     : o->check_protocol ? "protocol checking"
                     : o->stall_seed     ? "random stalls"
                     : o->memory_bytes   ? "a size of memory"
                     : o->clock_mhz > 0  ? "a clock"
                                         : NULL;
  if (what) {
    return systole_fail(SYSTOLE_ERR_UNSUPPORTED,
                        "%s cannot be chosen through XRT; rtl:%d can do it", what,
                        x->simulated ? x->image.dim : 16);
  }
  return SYSTOLE_OK;
}

static systole_status read_geometry(const systole_xrt_session *s, systole_geometry *out,
                                    uint32_t *version) {
  uint32_t identity = 0, geometry = 0;
  memset(out, 0, sizeof *out);
  systole_status status = systole_xrt_session_read(s, SYSTOLE_REG_IDENTITY, &identity);
  if (status == SYSTOLE_OK && identity != SYSTOLE_IDENTITY_VALUE) {
    return systole_fail(SYSTOLE_ERR_DEVICE,
                        "the kernel's identity register reads 0x%08x instead of 0x%08x: "
                        "the card runs something else",
                        identity, SYSTOLE_IDENTITY_VALUE);
  }
  if (status == SYSTOLE_OK)
    status = systole_xrt_session_read(s, SYSTOLE_REG_VERSION, version);
  if (status == SYSTOLE_OK)
    status = systole_xrt_session_read(s, SYSTOLE_REG_GEOMETRY, &geometry);
  if (status == SYSTOLE_OK)
    status = systole_xrt_session_read(s, SYSTOLE_REG_UB_ROWS, &out->ub_rows);
  if (status == SYSTOLE_OK)
    status = systole_xrt_session_read(s, SYSTOLE_REG_ACC_ROWS, &out->acc_rows);
  if (status == SYSTOLE_OK)
    status = systole_xrt_session_read(s, SYSTOLE_REG_WEIGHT_TILES, &out->weight_tiles);
  if (status == SYSTOLE_OK)
    status = systole_xrt_session_read(s, SYSTOLE_REG_FEATURES, &out->features);
  out->dim = 1 << (geometry & 15);
  out->axi_bytes = 1 << (geometry >> 8 & 15);
  out->weight_ports = (int)(geometry >> 16 & 255);
  out->flat_array = (int)(geometry >> 24 & 1);
  return status;
}

systole_status systole_xrt_check_geometry(const systole_xrt_session *session,
                                          const char *file) {
  const systole_xclbin *x = session->xclbin;
  systole_geometry geometry;
  systole_passport passport;
  uint32_t version = 0;
  int found = 0;
  systole_status status = read_geometry(session, &geometry, &version);
  if (status == SYSTOLE_OK && x->simulated &&
      (geometry.dim != x->image.dim || geometry.flat_array == x->image.readable)) {
    status = systole_fail(SYSTOLE_ERR_ARGUMENT,
                          "%s is for a %d x %d array, and its model says that it is %d x "
                          "%d; build both again",
                          file, x->image.dim, x->image.dim, geometry.dim, geometry.dim);
  }
  if (status == SYSTOLE_OK) status = systole_passport_find(&passport, &found, file);
  if (status == SYSTOLE_OK && found) {
    status = systole_passport_check_kernel(&passport, &geometry, version);
    /* The file has the name of the platform that it was linked for. */
    if (status == SYSTOLE_OK && !x->simulated) {
      status = systole_passport_check_shell(&passport, x->platform);
    }
  }
  return status;
}

systole_status systole_xrt_await_idle(const systole_xrt_session *session) {
  const double until = systole_wall_seconds() + 1e-3 * kIdleMs;
  uint32_t control = 0, error = 0;
  for (;;) {
    systole_status status =
        systole_xrt_session_read(session, SYSTOLE_REG_CONTROL, &control);
    if (status != SYSTOLE_OK || control >> 2 & 1) return status;
    if (systole_wall_seconds() > until) break;
  }
  (void)systole_xrt_session_read(session, SYSTOLE_REG_ERROR_CODE, &error);
  return systole_fail(SYSTOLE_ERR_TIMEOUT,
                      "the kernel is busy and does not end (error code %u); reset the "
                      "card with: xbutil reset --device BDF",
                      error & 0xFF);
}

void systole_xrt_silence_begin(systole_xrt_silence *silence) {
  silence->moved = 0;
  silence->moved_at = systole_wall_seconds();
}

systole_status systole_xrt_silence_check(systole_xrt_silence *silence,
                                         const systole_xrt_session *session) {
  static const int counters[] = {
      SYSTOLE_COUNTER_INSTRUCTIONS, SYSTOLE_COUNTER_GMEM0_READ_BYTES,
      SYSTOLE_COUNTER_GMEM0_WRITE_BYTES, SYSTOLE_COUNTER_GMEM1_READ_BYTES};
  uint32_t error = 0, word = 0;
  uint64_t moved = 0;
  systole_status status =
      systole_xrt_session_read(session, SYSTOLE_REG_ERROR_CODE, &error);
  for (size_t i = 0; i < sizeof counters / sizeof counters[0]; i++) {
    if (status != SYSTOLE_OK) return status;
    status = systole_xrt_session_read(
        session, (uint32_t)(SYSTOLE_REG_COUNTERS + 8 * counters[i]), &word);
    moved += word;
  }
  if (status != SYSTOLE_OK) return status;
  if ((error & 0xFF) == SYSTOLE_ERROR_MEMORY) {
    return systole_fail(SYSTOLE_ERR_TIMEOUT,
                        "the memory does not answer (error code %u): the kernel stays "
                        "busy and must be reset: xbutil reset --device BDF",
                        error & 0xFF);
  }
  const double now = systole_wall_seconds();
  if (moved != silence->moved) {
    silence->moved = moved;
    silence->moved_at = now;
  } else if (now - silence->moved_at > 1e-3 * silence->limit_ms) {
    return systole_fail(SYSTOLE_ERR_TIMEOUT,
                        "the kernel moved no data for %u ms; it must be reset",
                        silence->limit_ms);
  }
  return SYSTOLE_OK;
}

double systole_xrt_clock_mhz(const systole_xclbin *x, systole_kind *kind) {
  if (kind) *kind = SYSTOLE_KIND_ASSUMED;
  return x->simulated ? x->image.clock_mhz : x->clock_mhz;
}

const char *systole_xrt_memory_name(const systole_xclbin *x) {
  static const char *const presets[] = {"ideal", "ddr4", "hbm2"};
  if (!x->simulated) return NULL;
  for (size_t i = 0; i < sizeof presets / sizeof presets[0]; i++) {
    if (strcmp(presets[i], x->image.memory) == 0) return presets[i];
  }
  return NULL;
}
