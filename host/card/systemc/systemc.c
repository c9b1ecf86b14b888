/* The card `systemc`: a TLM-2.0 platform around the fast model. Names are those of the
 * card `model` (card/model/preset.h), with
 *   mode=at (default), mode=lt   approximately or loosely timed
 *   quantum=NANOSECONDS          of mode=lt; 1000
 *   traffic=PERCENT              of each memory's bandwidth that a second initiator asks
 *                                for during runs, 0 to 95
 * The platform is a shared library of its own; this file finds it, checks that it is of
 * this version, and passes calls on. */
#include "card/systemc/systemc.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "card/model/preset.h"
#include "card/rtl/find.h"
#include "support/error.h"

static const char library_name[] = "libsystole_systemc_card.so";

struct systole_card {
  const systole_systemc_api *api;
  systole_systemc *platform;
  char memory[SystolePresetMemory];
  double clock_mhz;
  systole_kind clock_kind;
  int timing_only;
};

systole_systemc *systole_card_systemc_platform(systole_card *card,
                                               const systole_systemc_api **api) {
  *api = card->api;
  return card->platform;
}

/* ---- what there is
 * --------------------------------------------------------------------- */

static const char missing_platform[] =
    "not built; install SystemC (on Debian or Ubuntu: apt-get install libsystemc-dev), "
    "configure and build again";

static void systemc_list(void (*add)(void *user, const systole_device_info *info),
                         void *user) {
  char path[SYSTOLE_RTL_PATH_BYTES];
  const int usable = systole_rtl_find_file(path, library_name);
  const systole_device_info info = {
      "systemc:16", "accelerator",
      "16 x 16 systolic array in a SystemC TLM-2.0 platform (systemc:DIM, 4 to 1024; "
      "mode=lt, traffic=PERCENT)",
      usable, usable ? "" : missing_platform};
  add(user, &info);
}

/* ---- the name
 * -------------------------------------------------------------------------- */

static systole_status bad_key(const char *what, const char *part, const char *about) {
  return systole_fail(SYSTOLE_ERR_ARGUMENT, "systemc:%s: \"%s\" makes no sense; %s", what,
                      part, about);
}

/* A whole number from 0 to `most`. Returns 0 when `text` is none. */
static int number(uint32_t *out, const char *text, unsigned long most) {
  char *end = NULL;
  if (*text < '0' || *text > '9') return 0;
  const unsigned long value = strtoul(text, &end, 10);
  *out = (uint32_t)value;
  return *end == '\0' && value <= most;
}

/* One part of the name: *mine is 0 when it is the model's. */
static systole_status read_part(systole_systemc_options *out, const char *what,
                                const char *part, int *mine) {
  *mine = 1;
  if (strncmp(part, "mode=", 5) == 0) {
    out->loose = strcmp(part + 5, "lt") == 0;
    if (out->loose || strcmp(part + 5, "at") == 0) return SYSTOLE_OK;
    return bad_key(what, part,
                   "mode=at is approximately timed (the default), mode=lt loosely");
  }
  if (strncmp(part, "quantum=", 8) == 0) {
    if (number(&out->quantum_ns, part + 8, 1000000000) && out->quantum_ns > 0) {
      return SYSTOLE_OK;
    }
    return bad_key(what, part, "the quantum of mode=lt is 1 to 1000000000 nanoseconds");
  }
  if (strncmp(part, "traffic=", 8) == 0) {
    if (number(&out->traffic, part + 8, 95)) return SYSTOLE_OK;
    return bad_key(what, part,
                   "traffic is 0 to 95 percent of each memory's bandwidth, asked for by "
                   "a second initiator");
  }
  *mine = 0;
  return SYSTOLE_OK;
}

/* Takes this card's parts out of `what`; the others go to `rest`, which has room. */
static systole_status read_name(systole_systemc_options *out, char *rest,
                                const char *what) {
  systole_status status = SYSTOLE_OK;
  char *copy = malloc(strlen(what) + 1);
  if (copy == NULL) return systole_fail(SYSTOLE_ERR_HOST_MEMORY, "no memory is left");
  memcpy(copy, what, strlen(what) + 1);
  rest[0] = '\0';
  for (char *part = copy, *next; part != NULL && status == SYSTOLE_OK; part = next) {
    int mine;
    next = strchr(part, ',');
    if (next != NULL) *next++ = '\0';
    status = read_part(out, what, part, &mine);
    if (mine) continue;
    if (part != copy) strcat(rest, ",");
    strcat(rest, part);
  }
  if (status == SYSTOLE_OK && !out->loose && out->quantum_ns > 0) {
    status = bad_key(what, "quantum=", "only mode=lt has a quantum");
  }
  if (status == SYSTOLE_OK && out->loose && out->traffic > 0) {
    status = bad_key(what,
                     "traffic=", "nobody delays anybody in mode=lt; use it with mode=at");
  }
  free(copy);
  return status;
}

/* ---- opening
 * --------------------------------------------------------------------------- */

/* Loads the platform. It stays loaded, because SystemC's globals do not go away. */
static systole_status load(const systole_systemc_api **api) {
  char path[SYSTOLE_RTL_PATH_BYTES], folders[1024];
  const systole_systemc_api *(*entry)(void) = NULL;
  *api = NULL;
  if (!systole_rtl_find_file(path, library_name)) {
    systole_rtl_folders(folders, sizeof folders);
    return systole_fail(SYSTOLE_ERR_NOT_FOUND,
                        "the SystemC platform is %s (%s was not found in %s)",
                        missing_platform, library_name, folders);
  }
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (library == NULL) {
    const char *reason = dlerror();
    return systole_fail(SYSTOLE_ERR_NOT_FOUND, "cannot load the SystemC platform %s: %s",
                        path, reason ? reason : "unknown reason");
  }
  /* POSIX defines this conversion, ISO C does not. */
  *(void **)&entry = dlsym(library, SYSTOLE_SYSTEMC_ENTRY);
  const systole_systemc_api *found = entry ? entry() : NULL;
  if (found == NULL || found->version != SYSTOLE_SYSTEMC_API_VERSION ||
      found->options_size != sizeof(systole_systemc_options)) {
    return systole_fail(SYSTOLE_ERR_NOT_FOUND,
                        "%s is no SystemC platform of this version of Systole; build it "
                        "again",
                        path);
  }
  *api = found;
  return SYSTOLE_OK;
}

static void systemc_close(systole_card *card) {
  if (card == NULL) return;
  if (card->platform != NULL) card->api->destroy(card->platform);
  free(card);
}

static systole_status systemc_open(systole_card **out, const char *what,
                                   const systole_device_options *options) {
  systole_systemc_options wanted;
  systole_preset preset;
  char story[512] = "";
  *out = NULL;
  memset(&wanted, 0, sizeof wanted);
  systole_card *card = calloc(1, sizeof *card);
  char *rest = malloc(strlen(what) + 2);
  systole_status status = SYSTOLE_OK;
  if (card == NULL || rest == NULL) {
    status = systole_fail(SYSTOLE_ERR_HOST_MEMORY, "no memory is left");
  }
  if (status == SYSTOLE_OK) status = read_name(&wanted, rest, what);
  if (status == SYSTOLE_OK) status = systole_preset_read(&preset, "systemc", rest);
  if (status == SYSTOLE_OK) {
    systole_preset_options(&wanted.model, &preset, options);
    const int dim = wanted.model.geometry.dim;
    if (options != NULL && options->trace_path != NULL) {
      status =
          systole_fail(SYSTOLE_ERR_UNSUPPORTED,
                       "a SystemC platform has no waveform; record one with rtl:%d", dim);
    } else if (options != NULL && options->stall_seed != 0) {
      status = systole_fail(SYSTOLE_ERR_UNSUPPORTED,
                            "a SystemC platform knows no random stalls; use rtl:%d, or "
                            "let others use the memory: systemc:%d,traffic=50",
                            dim, dim);
    }
  }
  if (status == SYSTOLE_OK) status = load(&card->api);
  if (status == SYSTOLE_OK) {
    const systole_model_options *m = &wanted.model;
    (void)snprintf(card->memory, sizeof card->memory, "%s",
                   m->memory != NULL ? m->memory : "ideal");
    card->clock_mhz = m->clock_mhz > 0 ? m->clock_mhz : 300.0;
    card->clock_kind =
        m->clock_kind != SYSTOLE_KIND_UNKNOWN ? m->clock_kind : SYSTOLE_KIND_ASSUMED;
    card->timing_only = m->timing_only;
    status = card->api->create(&card->platform, &wanted, story, sizeof story);
    if (status != SYSTOLE_OK) (void)systole_fail(status, "%s", story);
  }
  free(rest);
  if (status != SYSTOLE_OK) {
    free(card);
    return status;
  }
  *out = card;
  return SYSTOLE_OK;
}

/* ---- calls that are passed on
 * ------------------------------------------------------------- */

static systole_status told(const systole_card *card, systole_status status) {
  return status ? systole_fail(status, "%s", card->api->story(card->platform))
                : SYSTOLE_OK;
}

static systole_status systemc_read_register(systole_card *card, uint32_t offset,
                                            uint32_t *value) {
  return told(card, card->api->read_register(card->platform, offset, value));
}

static systole_status systemc_alloc(systole_card *card, systole_port port, uint64_t bytes,
                                    uint64_t *address) {
  return told(card, card->api->alloc(card->platform, (int)port, bytes, address));
}

static void systemc_free(systole_card *card, systole_port port, uint64_t address) {
  (void)card->api->release(card->platform, (int)port, address);
}

static systole_status systemc_write(systole_card *card, systole_port port,
                                    uint64_t address, const void *data, uint64_t bytes) {
  return told(card, card->api->write(card->platform, (int)port, address, data, bytes));
}

static systole_status systemc_read(systole_card *card, systole_port port,
                                   uint64_t address, void *data, uint64_t bytes) {
  return told(card, card->api->read(card->platform, (int)port, address, data, bytes));
}

static systole_status systemc_start(systole_card *card, const systole_launch *launch) {
  return told(card, card->api->start(card->platform, launch->program, launch->weights,
                                     launch->activations, launch->instructions));
}

static systole_status systemc_wait(systole_card *card, uint32_t slice_ms, int *done) {
  return told(card, card->api->wait(card->platform, slice_ms, done));
}

static systole_status systemc_reset(systole_card *card) {
  return told(card, card->api->reset(card->platform));
}

static double systemc_clock_mhz(const systole_card *card, systole_kind *kind) {
  if (kind != NULL) *kind = card->clock_kind;
  return card->clock_mhz;
}

static const char *systemc_memory_name(const systole_card *card) { return card->memory; }

static double systemc_run_cpu_seconds(const systole_card *card) {
  return card->api->run_cpu_seconds(card->platform);
}

static uint64_t systemc_cycles(const systole_card *card) {
  return card->api->cycles(card->platform);
}

static int systemc_timing_only(const systole_card *card) { return card->timing_only; }

const systole_card_ops systole_card_systemc = {
    .version = SYSTOLE_CARD_VERSION,
    .scheme = "systemc",
    .simulated = 1,
    .list = systemc_list,
    .open = systemc_open,
    .close = systemc_close,
    .read_register = systemc_read_register,
    .alloc = systemc_alloc,
    .free = systemc_free,
    .write = systemc_write,
    .read = systemc_read,
    .start = systemc_start,
    .wait = systemc_wait,
    .reset = systemc_reset,
    .clock_mhz = systemc_clock_mhz,
    .memory_name = systemc_memory_name,
    .run_cpu_seconds = systemc_run_cpu_seconds,
    .cycles = systemc_cycles,
    .timing_only = systemc_timing_only,
};
