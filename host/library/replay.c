/* Repeats a recording on another card. Results are compared where the host read them; the
 * first difference ends the replay, since everything after may follow from it. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "card/systole_isa.h"
#include "library/check.h"
#include "library/device.h"
#include "library/recording.h"
#include "support/error.h"
#include "support/memory.h"

enum {
  kSliceMs = 50,     /* as in a run of the library */
  kWatchSliceMs = 1, /* a simulated array advances some hundred cycles in it */
  kBlockBytes = 1 << 20,
  kBeatBytes = 64, /* what is watched around a wrong byte */
  /* A run up to this length is worth a whole waveform (some tens of MB at Dim 16); of a
   * longer one, the cycles around the difference. */
  kWholeCycles = 20000,
  kMarginCycles = 1000
};

typedef struct allocation {
  systole_port port;
  uint64_t recorded, bytes, here;
} allocation;

/* One pass over the recording. */
typedef struct pass {
  const systole_recording *recording;
  systole_replay_report *report;
  const systole_card_ops *ops;
  systole_card *card;
  allocation *allocations;
  size_t count, room;
  uint8_t *block;  /* kBlockBytes */
  uint64_t starts; /* runs begun on this card */
  int last_failed;
  systole_progress progress;
  void *user;
  /* Second pass: watches the beat around the report's byte during run `watched`. */
  uint64_t watched; /* counted from 1; 0: none */
  uint64_t began;   /* cycle in which that run was started */
  uint64_t changed_after, changed_before, length; /* counted from there */
  int changed;
} pass;

/* ---- memory ----------------------------------------------------------------------- */

static allocation *find(pass *p, systole_port port, uint64_t address, uint64_t bytes) {
  for (size_t i = 0; i < p->count; i++) {
    allocation *a = &p->allocations[i];
    if (a->port == port && address >= a->recorded && address - a->recorded <= a->bytes &&
        bytes <= a->bytes - (address - a->recorded)) {
      return a;
    }
  }
  return NULL;
}

static systole_status translate(pass *p, systole_port port, uint64_t address,
                                uint64_t bytes, uint64_t *here) {
  const allocation *a = find(p, port, address, bytes);
  if (a == NULL) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "the recording uses %" PRIu64 " bytes at gmem%d 0x%" PRIx64
                        " that it never allocated",
                        bytes, (int)port, address);
  }
  *here = a->here + (address - a->recorded);
  return SYSTOLE_OK;
}

static systole_status repeat_alloc(pass *p, const systole_record_event *event) {
  if (p->count == p->room) {
    const size_t room = p->room == 0 ? 16 : 2 * p->room;
    allocation *more = realloc(p->allocations, room * sizeof *more);
    if (more == NULL) {
      return systole_fail(SYSTOLE_ERR_HOST_MEMORY, "no memory is left for a replay");
    }
    p->allocations = more;
    p->room = room;
  }
  allocation a = {(systole_port)event->small, event->a, event->b, 0};
  systole_status status = p->ops->alloc(p->card, a.port, a.bytes, &a.here);
  if (status == SYSTOLE_OK) p->allocations[p->count++] = a;
  return status;
}

static void repeat_free(pass *p, const systole_record_event *event) {
  for (size_t i = 0; i < p->count; i++) {
    allocation *a = &p->allocations[i];
    if (a->port != (systole_port)event->small || a->recorded != event->a) continue;
    p->ops->free(p->card, a->port, a->here);
    p->allocations[i] = p->allocations[--p->count];
    return;
  }
}

/* ---- differences ------------------------------------------------------------------ */

/* The run that ended differently, and how. */
static void tell_ending(pass *p, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void tell_ending(pass *p, const char *format, ...) {
  systole_replay_report *r = p->report;
  va_list arguments;
  r->differs = 1;
  r->run = r->runs;
  const int length =
      snprintf(r->sentence, sizeof r->sentence, "run %" PRIu64 " of %" PRIu64 " ", r->run,
               p->recording->runs);
  va_start(arguments, format);
  (void)vsnprintf(r->sentence + length, sizeof r->sentence - (size_t)length, format,
                  arguments);
  va_end(arguments);
}

static void tell_memory(pass *p, systole_port port, uint64_t address,
                        const allocation *buffer, uint64_t bytes, int expected,
                        int found) {
  systole_replay_report *r = p->report;
  r->differs = 1;
  r->is_memory = 1;
  r->run = r->runs;
  r->port = port;
  r->address = address;
  r->offset = address - buffer->recorded;
  r->expected = expected;
  r->found = found;
  (void)snprintf(r->sentence, sizeof r->sentence,
                 "after run %" PRIu64 " of %" PRIu64 ", byte %" PRIu64
                 " of the buffer at gmem%d 0x%" PRIx64 " (address 0x%" PRIx64
                 ") is 0x%02x here and 0x%02x in the recording; %" PRIu64 " of %" PRIu64
                 " bytes of this transfer differ",
                 r->run, p->recording->runs, r->offset, (int)port, buffer->recorded,
                 address, (unsigned)found, (unsigned)expected, r->wrong_bytes, bytes);
}

static systole_status repeat_read(pass *p, const systole_record_event *event,
                                  const uint8_t *expected) {
  const systole_port port = (systole_port)event->small;
  uint64_t here = 0, first = 0, wrong = 0;
  int found = 0;
  systole_status status = translate(p, port, event->a, event->payload, &here);
  for (uint64_t at = 0; at < event->payload && status == SYSTOLE_OK; at += kBlockBytes) {
    const uint64_t left = event->payload - at,
                   take = left < kBlockBytes ? left : kBlockBytes;
    status = p->ops->read(p->card, port, here + at, p->block, take);
    if (status != SYSTOLE_OK || memcmp(p->block, expected + at, (size_t)take) == 0) {
      continue;
    }
    for (uint64_t i = 0; i < take; i++) {
      if (p->block[i] == expected[at + i]) continue;
      if (wrong++ == 0) {
        first = at + i;
        found = p->block[i];
      }
    }
  }
  if (status != SYSTOLE_OK) return status;
  p->report->bytes += event->payload;
  if (wrong > 0) {
    p->report->wrong_bytes = wrong;
    tell_memory(p, port, event->a + first, find(p, port, event->a, event->payload),
                event->payload, expected[first], found);
  }
  return SYSTOLE_OK;
}

/* ---- runs ------------------------------------------------------------------------- */

/* The beat around the byte that differed. */
static systole_status read_beat(pass *p, uint8_t beat[kBeatBytes], uint64_t *bytes) {
  const systole_replay_report *r = p->report;
  const allocation *a = find(p, r->port, r->address, 1);
  if (a == NULL) {
    *bytes = 0;
    return SYSTOLE_OK;
  }
  const uint64_t offset = r->offset / kBeatBytes * kBeatBytes, left = a->bytes - offset;
  *bytes = left < kBeatBytes ? left : kBeatBytes;
  return p->ops->read(p->card, a->port, a->here + offset, beat, *bytes);
}

/* Waits in small steps and notes between which cycles the beat took its last value. */
static systole_status wait_watching(pass *p, int *done) {
  uint8_t before[kBeatBytes] = {0}, now[kBeatBytes];
  uint64_t bytes = 0;
  systole_status status = SYSTOLE_OK;
  if (p->report->is_memory) status = read_beat(p, before, &bytes);
  *done = 0;
  while (status == SYSTOLE_OK && !*done) {
    const uint64_t last = p->length;
    status = p->ops->wait(p->card, kWatchSliceMs, done);
    p->length = p->ops->cycles(p->card) - p->began;
    if (status == SYSTOLE_OK && bytes > 0) status = read_beat(p, now, &bytes);
    if (status == SYSTOLE_OK && bytes > 0 && memcmp(before, now, (size_t)bytes) != 0) {
      memcpy(before, now, sizeof before);
      p->changed = 1;
      p->changed_after = last;
      p->changed_before = p->length;
    }
  }
  return status;
}

static systole_status wait_plainly(pass *p, int *done) {
  systole_status status = SYSTOLE_OK;
  *done = 0;
  while (status == SYSTOLE_OK && !*done) {
    status = p->ops->wait(p->card, kSliceMs, done);
    if (status == SYSTOLE_OK && p->progress != NULL &&
        p->progress(p->user, p->report->runs - 1, p->recording->runs) != 0) {
      if (p->ops->reset != NULL && !*done) (void)p->ops->reset(p->card);
      return systole_fail(SYSTOLE_ERR_INTERRUPTED,
                          "interrupted in run %" PRIu64 " of %" PRIu64, p->report->runs,
                          p->recording->runs);
    }
  }
  return status;
}

static systole_status repeat_run(pass *p, const systole_record_event *event,
                                 uint64_t next) {
  const uint8_t *story = NULL;
  const systole_record_event ending = systole_recording_next(p->recording, &next, &story);
  /* It was interrupted, or the recording ends inside it: nothing came of it. */
  if (ending.type != SYSTOLE_RECORD_DONE) return SYSTOLE_OK;
  systole_launch launch = {0, 0, 0, event->small};
  systole_status status =
      translate(p, SYSTOLE_PORT_GMEM1, event->a,
                (uint64_t)event->small * SYSTOLE_INSTRUCTION_BYTES, &launch.program);
  if (status == SYSTOLE_OK) {
    status = translate(p, SYSTOLE_PORT_GMEM1, event->b, 0, &launch.weights);
  }
  if (status == SYSTOLE_OK) {
    status = translate(p, SYSTOLE_PORT_GMEM0, event->c, 0, &launch.activations);
  }
  if (status == SYSTOLE_OK && p->ops->cycles != NULL) p->began = p->ops->cycles(p->card);
  if (status == SYSTOLE_OK) status = p->ops->start(p->card, &launch);
  if (status != SYSTOLE_OK) return status;
  int done = 0;
  p->report->runs++;
  p->starts++;
  status =
      p->watched == p->report->runs ? wait_watching(p, &done) : wait_plainly(p, &done);
  if (status == SYSTOLE_ERR_INTERRUPTED) return status;
  const int failed_there = ending.small != 0, failed_here = status != SYSTOLE_OK;
  p->last_failed = failed_here;
  if (failed_here && !failed_there) {
    tell_ending(p, "fails here and ended well in the recording: %s",
                systole_last_error());
  } else if (!failed_here && failed_there) {
    tell_ending(p, "ends here and failed in the recording: %.*s",
                (int)(ending.payload < 400 ? ending.payload : 400), (const char *)story);
  }
  return SYSTOLE_OK;
}

static systole_status repeat_register(pass *p, const systole_record_event *event) {
  const uint32_t recorded = (uint32_t)event->a;
  uint32_t value = 0;
  if (p->last_failed) return SYSTOLE_OK; /* after a failure registers say little */
  systole_status status = p->ops->read_register(p->card, event->small, &value);
  if (status != SYSTOLE_OK) return status;
  switch (event->small) {
    case SYSTOLE_REG_COUNTERS + 8 * SYSTOLE_COUNTER_CYCLES:
      p->report->cycles += value;
      p->report->recorded_cycles += recorded;
      break;
    case SYSTOLE_REG_COUNTERS + 8 * SYSTOLE_COUNTER_CYCLES + 4:
      p->report->cycles += (uint64_t)value << 32;
      p->report->recorded_cycles += (uint64_t)recorded << 32;
      break;
    case SYSTOLE_REG_ERROR_CODE:
    case SYSTOLE_REG_ERROR_INDEX:
      if (value != recorded) {
        tell_ending(p, "left 0x%x in %s then and leaves 0x%x here", recorded,
                    event->small == SYSTOLE_REG_ERROR_CODE
                        ? "the error register (hw/README.md, Errors)"
                        : "the register of the failing instruction",
                    value);
      }
      break;
    default: /* other counters tell of timing, which another card may have of its own */
      break;
  }
  return SYSTOLE_OK;
}

/* ---- a pass ----------------------------------------------------------------------- */

static systole_status go(pass *p) {
  uint64_t at = p->recording->first;
  systole_status status = SYSTOLE_OK;
  int ended = 0;
  while (status == SYSTOLE_OK && !p->report->differs && !ended) {
    const uint8_t *payload;
    uint64_t here = 0;
    const systole_record_event event =
        systole_recording_next(p->recording, &at, &payload);
    switch (event.type) {
      case SYSTOLE_RECORD_ALLOC:
        status = repeat_alloc(p, &event);
        break;
      case SYSTOLE_RECORD_FREE:
        repeat_free(p, &event);
        break;
      case SYSTOLE_RECORD_WRITE:
        status = translate(p, (systole_port)event.small, event.a, event.payload, &here);
        if (status == SYSTOLE_OK) {
          status = p->ops->write(p->card, (systole_port)event.small, here, payload,
                                 event.payload);
        }
        break;
      case SYSTOLE_RECORD_READ:
        status = repeat_read(p, &event, payload);
        break;
      case SYSTOLE_RECORD_START:
        status = repeat_run(p, &event, at);
        if (p->watched != 0 && p->report->runs == p->watched) ended = 1;
        break;
      case SYSTOLE_RECORD_REGISTER:
        status = repeat_register(p, &event);
        break;
      case SYSTOLE_RECORD_RESET:
        if (p->ops->reset != NULL) status = p->ops->reset(p->card);
        p->last_failed = 0;
        break;
      case SYSTOLE_RECORD_END:
        ended = 1;
        break;
      default: /* DONE: looked at with its START */
        break;
    }
  }
  return status;
}

/* The geometry decides whether the same command stream means the same. Which of the two
 * arrays computes it (bit 24) does not. */
static systole_status check_geometry(pass *p, const char *name) {
  static const struct {
    uint32_t offset, mask;
    const char *what;
  } rows[SYSTOLE_RECORDING_REGISTERS] = {
      {SYSTOLE_REG_IDENTITY, UINT32_MAX, "identity"},
      {SYSTOLE_REG_VERSION, 0xFF, "instruction set"},
      {SYSTOLE_REG_GEOMETRY, 0xFFFFFF, "array and port sizes"},
      {SYSTOLE_REG_UB_ROWS, UINT32_MAX, "rows of the unified buffer"},
      {SYSTOLE_REG_ACC_ROWS, UINT32_MAX, "accumulator rows"},
      {SYSTOLE_REG_WEIGHT_TILES, UINT32_MAX, "weight tiles"},
      /* What a stream needs of these, its runs tell: an instruction that the card does
       * not have ends in an error. */
      {SYSTOLE_REG_FEATURES, 0, "features"}};
  for (int i = 0; i < SYSTOLE_RECORDING_REGISTERS; i++) {
    uint32_t value = 0;
    systole_status status = p->ops->read_register(p->card, rows[i].offset, &value);
    if (status != SYSTOLE_OK) return status;
    const uint32_t recorded = p->recording->registers[i];
    if ((value & rows[i].mask) == (recorded & rows[i].mask)) continue;
    if (rows[i].offset == SYSTOLE_REG_GEOMETRY) {
      return systole_fail(
          SYSTOLE_ERR_ARGUMENT,
          "the recording is of %s, a %d x %d array with ports of %d bytes, "
          "and %s is %d x %d with %d bytes; replay it on an array of that "
          "size",
          p->recording->device, 1 << (recorded & 0xF), 1 << (recorded & 0xF),
          1 << (recorded >> 8 & 0xF), name, 1 << (value & 0xF), 1 << (value & 0xF),
          1 << (value >> 8 & 0xF));
    }
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "the recording is of %s with %s 0x%x, and %s has 0x%x; replay it "
                        "on an array that was built alike",
                        p->recording->device, rows[i].what, recorded, name, value);
  }
  return SYSTOLE_OK;
}

/* Opens the device anew, so that each pass begins as the recording did. */
static systole_status run_pass(pass *p, const char *name,
                               const systole_device_options *options) {
  systole_device *device = NULL;
  void *block = NULL;
  systole_status status = systole_allocate(&block, kBlockBytes, 1, "a replay");
  p->block = block;
  p->report->runs = p->report->bytes = 0;
  p->report->cycles = p->report->recorded_cycles = 0;
  if (status == SYSTOLE_OK) status = systole_device_open(&device, name, options);
  if (status == SYSTOLE_OK) {
    p->ops = systole_device_card(device, &p->card);
    if (p->ops == NULL) {
      status = systole_fail(SYSTOLE_ERR_UNSUPPORTED,
                            "%s is no card and cannot repeat what one did; take one that "
                            "executes command streams, e.g. rtl:16",
                            name);
    }
  }
  p->report->can_draw = p->ops != NULL && p->ops->cycles != NULL;
  if (status == SYSTOLE_OK) status = check_geometry(p, name);
  if (status == SYSTOLE_OK) status = go(p);
  free(p->allocations);
  p->allocations = NULL;
  p->count = p->room = 0;
  systole_device_close(device);
  systole_release(p->block);
  return status;
}

/* ---- the waveform ----------------------------------------------------------------- */

/* Repeats the run that differed twice: once to learn when the wrong value arrived, once
 * with the waveform of that window. */
static systole_status draw(systole_replay_report *report,
                           const systole_recording *recording, const char *name,
                           const systole_device_options *options) {
  systole_device_options again = *options;
  systole_replay_report scratch = *report;
  pass p = {.recording = recording, .report = &scratch, .watched = report->run};
  scratch.differs = 0;
  again.trace_path = NULL;
  if (!report->can_draw) {
    return systole_fail(
        SYSTOLE_ERR_UNSUPPORTED,
        "%s has no signals to draw; replay on a simulated card, e.g. rtl:16", name);
  }
  systole_status status = run_pass(&p, name, &again);
  if (status != SYSTOLE_OK) return status;
  uint64_t first = 0, last = p.length;
  if (p.changed && p.length > kWholeCycles) {
    first = p.changed_after > kMarginCycles ? p.changed_after - kMarginCycles : 0;
    last = p.changed_before + kMarginCycles;
  } else if (p.length > kWholeCycles) {
    first = p.length - kWholeCycles; /* nothing arrived: how the run ended */
  }
  again.trace_path = options->trace_path;
  again.trace_run = p.starts - 1;
  again.trace_first_cycle = first;
  /* A run that did not end has no length: all of it is drawn. */
  again.trace_cycles = last > first ? last - first + kMarginCycles : 0;
  pass drawing = {.recording = recording, .report = &scratch, .watched = 0};
  scratch.differs = 0;
  status = run_pass(&drawing, name, &again);
  if (status == SYSTOLE_OK) {
    report->wave_first_cycle = first;
    report->wave_cycles = last > first ? last - first + kMarginCycles : p.length;
    if (report->wave_cycles == 0) report->wave_cycles = 1;
  }
  return status;
}

/* 1 when a device of this name lets memory and stalls be chosen; a real card has its own.
 */
static int options_apply(const char *name) {
  size_t count;
  const systole_card_ops *const *rows = systole_card_rows(&count);
  for (size_t i = 0; i < count; i++) {
    const size_t length = strlen(rows[i]->scheme);
    if (strncmp(name, rows[i]->scheme, length) == 0 && name[length] == ':') {
      return rows[i]->simulated;
    }
  }
  return 0;
}

systole_status systole_replay(systole_replay_report *report, const char *path,
                              const char *name, const systole_device_options *options,
                              systole_progress progress, void *user) {
  static const systole_device_options defaults = SYSTOLE_DEVICE_OPTIONS_INIT;
  static const char *const presets[] = {"ideal", "ddr4", "hbm2"};
  systole_recording recording = {0};
  if (report == NULL || path == NULL || name == NULL) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "a replay needs a report, a recording and a device");
  }
  memset(report, 0, sizeof *report);
  systole_status status = systole_check_options(options);
  if (status != SYSTOLE_OK) return status;
  status = systole_recording_open(&recording, path);
  if (status != SYSTOLE_OK) return status;

  systole_device_options plain = options != NULL ? *options : defaults;
  plain.trace_path = NULL;
  const int chosen = options_apply(name);
  for (size_t i = 0; chosen && i < sizeof presets / sizeof presets[0]; i++) {
    if (plain.memory == NULL && strcmp(recording.memory, presets[i]) == 0) {
      plain.memory = presets[i];
    }
  }
  if (chosen && plain.stall_seed == 0) plain.stall_seed = recording.stall_seed;
  if (chosen && plain.memory_bytes == 0) plain.memory_bytes = recording.memory_bytes;
  (void)snprintf(report->recorded_on, sizeof report->recorded_on, "%s", recording.device);
  report->cut = recording.cut;

  pass p = {
      .recording = &recording, .report = report, .progress = progress, .user = user};
  status = run_pass(&p, name, &plain);
  if (status == SYSTOLE_OK && report->differs && options != NULL &&
      options->trace_path != NULL) {
    plain.trace_path = options->trace_path;
    if (report->run == 0) {
      (void)snprintf(report->wave_story, sizeof report->wave_story,
                     "the difference is there before the first run");
    } else if (draw(report, &recording, name, &plain) != SYSTOLE_OK) {
      (void)snprintf(report->wave_story, sizeof report->wave_story, "%s",
                     systole_last_error());
    }
  }
  systole_recording_close(&recording);
  return status;
}
