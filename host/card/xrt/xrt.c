/* The card `xrt`: the kernel on an Alveo card, or on the simulated card of sim/xrt,
 * through XRT's C functions. Which of the two it is, the file says.
 *
 * A block of device memory is one XRT buffer, whose host side is the staging area that
 * XRT copies from and to. Addresses are those of the device. */
#define _DEFAULT_SOURCE /* scandir */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "card/card.h"
#include "card/systole_isa.h"
#include "card/xrt/common.h"
#include "card/xrt/probe.h"
#include "card/xrt/session.h"
#include "support/clock.h"
#include "support/error.h"

enum { kPage = 4096 };

/* Arguments, by number. */
enum {
  kProgram = SYSTOLE_ARG_PROGRAM,
  kWeights = SYSTOLE_ARG_WEIGHTS,
  kActivations = SYSTOLE_ARG_ACTIVATIONS,
  kInstructions = SYSTOLE_ARG_INSTRUCTIONS
};

typedef struct block {
  void *buffer; /* XRT's */
  uint8_t *host;
  uint64_t address, bytes;
  systole_port port;
} block;

struct systole_card {
  systole_xrt_session session;
  systole_xclbin *xclbin;
  void *run;
  uint32_t group[2]; /* memory group of each port */
  block *blocks;     /* in order of address */
  size_t block_count, block_room;
  void *page_zero[2]; /* keeps device address 0, which means nothing here */
  void *parts[3];     /* sub-buffers of the run that is going */
  int running;
  systole_xrt_silence silence;
  double started_cpu, cpu_seconds;
};

static systole_status out_of_memory(void) {
  return systole_fail(SYSTOLE_ERR_HOST_MEMORY, "this machine is out of memory");
}

/* ---- what there is -------------------------------------------------------------------
 */

typedef void (*add_function)(void *user, const systole_device_info *info);

static void add_row(add_function add, void *user, const char *name, const char *about,
                    const char *reason) {
  add(user,
      &(systole_device_info){name, "accelerator", about, reason[0] == '\0', reason});
}

static int is_xclbin(const struct dirent *entry) {
  const size_t length = strlen(entry->d_name), tail = strlen(".xclbin");
  return length > tail && strcmp(entry->d_name + length - tail, ".xclbin") == 0;
}

/* One row for a file of the folder that XILINX_XRT names. */
static void add_file(add_function add, void *user, const char *path) {
  systole_xclbin *x = NULL;
  char name[1440], about[160], reason[512] = "";
  (void)snprintf(name, sizeof name, "xrt:%s", path);
  (void)snprintf(about, sizeof about, "kernel behind XRT");
  systole_status status = systole_xclbin_read(&x, path);
  if (status == SYSTOLE_OK) status = systole_xclbin_check_kernel(x, path);
  if (status != SYSTOLE_OK) {
    (void)snprintf(reason, sizeof reason, "%s", systole_last_error());
  } else if (x->simulated) {
    (void)snprintf(
        about, sizeof about, "%d x %d systolic array on a simulated %s, through XRT%s",
        x->image.dim, x->image.dim, x->platform + strlen(SYSTOLE_XCLBIN_SIMULATED),
        x->image.readable ? ", one module per PE" : "");
  } else {
    (void)snprintf(about, sizeof about, "systolic array for %s, through XRT",
                   x->platform);
  }
  systole_xclbin_free(x);
  add_row(add, user, name, about, reason);
}

static void xrt_list(add_function add, void *user) {
  static const char any[] = "xrt:FILE.xclbin";
  static const char about[] = "an Alveo card, or the simulated one, through XRT";
  systole_xrt_probe probe;
  char reason[1024];
  struct dirent **entries = NULL;
  if (systole_xrt_probe_cards(&probe) != SYSTOLE_OK) {
    (void)snprintf(reason, sizeof reason, "%s", systole_last_error());
    add_row(add, user, any, about, reason);
    return;
  }
  const int count = scandir(probe.site.root, &entries, is_xclbin, alphasort);
  for (int i = 0; i < count; i++) {
    char path[1400];
    (void)snprintf(path, sizeof path, "%s/%s", probe.site.root, entries[i]->d_name);
    add_file(add, user, path);
    free(entries[i]);
  }
  free(entries);
  if (count <= 0) {
    (void)snprintf(
        reason, sizeof reason,
        "%d card%s there; name the file of a kernel, which scripts/build_xclbin "
        "makes",
        probe.cards, probe.cards == 1 ? " is" : "s are");
    add_row(add, user, any, about, reason);
  }
}

/* ---- opening -------------------------------------------------------------------------
 */

/* Buffers go where the file connects the ports; both pointers of a port share its bank.
 */
static systole_status find_groups(systole_card *card, const char *file) {
  const systole_xrt_session *s = &card->session;
  systole_xrt_enter(0);
  const int program = s->api.xrtKernelArgGroupId(s->kernel, kProgram);
  const int weights = s->api.xrtKernelArgGroupId(s->kernel, kWeights);
  const int activations = s->api.xrtKernelArgGroupId(s->kernel, kActivations);
  systole_xrt_leave();
  if (program < 0 || weights < 0 || activations < 0) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "%s connects an argument of the kernel to no memory; build it "
                        "again",
                        file);
  }
  if (program != weights) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "%s connects program and weights, which share a port, to memory "
                        "groups %d and %d; build it again",
                        file, program, weights);
  }
  card->group[SYSTOLE_PORT_GMEM0] = (uint32_t)activations;
  card->group[SYSTOLE_PORT_GMEM1] = (uint32_t)program;
  return SYSTOLE_OK;
}

static systole_status open_run(systole_card *card) {
  systole_xrt_enter(0);
  card->run = card->session.api.xrtRunOpen(card->session.kernel);
  systole_xrt_leave();
  return card->run ? SYSTOLE_OK
                   : systole_fail(SYSTOLE_ERR_DEVICE, "XRT gives no handle for runs");
}

static void drop_parts(systole_card *card) {
  for (int i = 0; i < 3; i++) {
    if (card->parts[i]) (void)card->session.api.xrtBOFree(card->parts[i]);
    card->parts[i] = NULL;
  }
}

static void close_run(systole_card *card) {
  if (!card->run) return;
  systole_xrt_enter(0);
  (void)card->session.api.xrtRunClose(card->run);
  drop_parts(card);
  systole_xrt_leave();
  card->run = NULL;
  card->running = 0;
}

static void xrt_close(systole_card *card) {
  if (!card) return;
  close_run(card);
  systole_xrt_enter(0);
  for (size_t i = 0; i < card->block_count; i++) {
    (void)card->session.api.xrtBOFree(card->blocks[i].buffer);
  }
  for (int port = 0; port < 2; port++) {
    if (card->page_zero[port]) (void)card->session.api.xrtBOFree(card->page_zero[port]);
  }
  systole_xrt_leave();
  systole_xrt_session_close(&card->session);
  systole_xclbin_free(card->xclbin);
  free(card->blocks);
  free(card);
}

static systole_status open_session(systole_card *card, const systole_xrt_name *name) {
  systole_xrt_probe probe;
  systole_xrt_site site;
  systole_status status = systole_xrt_find(&site);
  if (status == SYSTOLE_OK && !systole_xrt_is_live(&site)) {
    status = systole_xrt_probe_open(&probe, name);
  }
  if (status == SYSTOLE_OK) {
    status = systole_xrt_session_open(&card->session, &site, name, card->xclbin, 0);
  }
  return status;
}

static systole_status xrt_open(systole_card **out, const char *what,
                               const systole_device_options *given) {
  static const systole_device_options defaults = SYSTOLE_DEVICE_OPTIONS_INIT;
  const systole_device_options *options = given ? given : &defaults;
  systole_xrt_name name;
  *out = NULL;
  systole_card *card = calloc(1, sizeof *card);
  if (!card) return out_of_memory();
  card->silence.limit_ms =
      options->timeout_ms ? options->timeout_ms : SYSTOLE_XRT_SILENCE_MS;
  systole_status status = systole_xrt_name_parse(&name, what);
  if (status == SYSTOLE_OK) status = systole_xclbin_read(&card->xclbin, name.file);
  if (status == SYSTOLE_OK) status = systole_xclbin_check_kernel(card->xclbin, name.file);
  if (status == SYSTOLE_OK)
    status = systole_xrt_check_options(options, card->xclbin, name.file);
  if (status == SYSTOLE_OK) status = open_session(card, &name);
  if (status == SYSTOLE_OK) status = find_groups(card, name.file);
  if (status == SYSTOLE_OK)
    status = systole_xrt_check_geometry(&card->session, name.file);
  if (status == SYSTOLE_OK) status = systole_xrt_await_idle(&card->session);
  if (status == SYSTOLE_OK) status = open_run(card);
  if (status == SYSTOLE_OK) {
    *out = card;
  } else {
    xrt_close(card);
  }
  return status;
}

/* ---- registers -----------------------------------------------------------------------
 */

static systole_status xrt_read_register(systole_card *card, uint32_t offset,
                                        uint32_t *value) {
  /* Reading the control register clears `done`, which the driver waits for. */
  if (offset == SYSTOLE_REG_CONTROL && card->running) {
    *value = 1;
    return SYSTOLE_OK;
  }
  return systole_xrt_session_read(&card->session, offset, value);
}

/* ---- memory --------------------------------------------------------------------------
 */

/* Index of the block of `port` that holds the bytes; block_count when there is none. */
static size_t find_block(const systole_card *card, systole_port port, uint64_t address,
                         uint64_t bytes) {
  for (size_t i = 0; i < card->block_count; i++) {
    const block *b = &card->blocks[i];
    if (b->port == port && b->address <= address && address - b->address <= b->bytes &&
        bytes <= b->bytes - (address - b->address)) {
      return i;
    }
  }
  return card->block_count;
}

static systole_status no_block(systole_port port, uint64_t address, uint64_t bytes) {
  return systole_fail(SYSTOLE_ERR_ARGUMENT,
                      "%llu bytes at 0x%llx are in no buffer of gmem%d",
                      (unsigned long long)bytes, (unsigned long long)address, (int)port);
}

/* A buffer whose device address is not 0; where a memory begins at 0, its first page is
 * kept away. */
static void *allocate(systole_card *card, systole_port port, uint64_t bytes) {
  const systole_xrt_api *api = &card->session.api;
  void *device = card->session.device;
  void *buffer = api->xrtBOAlloc(device, bytes, 0, card->group[port]);
  if (buffer && api->xrtBOAddress(buffer) == 0 && !card->page_zero[port]) {
    (void)api->xrtBOFree(buffer);
    card->page_zero[port] = api->xrtBOAlloc(device, kPage, 0, card->group[port]);
    buffer = api->xrtBOAlloc(device, bytes, 0, card->group[port]);
  }
  return buffer;
}

static systole_status xrt_alloc(systole_card *card, systole_port port, uint64_t bytes,
                                uint64_t *address) {
  const systole_xrt_api *api = &card->session.api;
  *address = 0;
  if (card->block_count == card->block_room) {
    const size_t room = card->block_room ? 2 * card->block_room : 16;
    block *more = realloc(card->blocks, room * sizeof *more);
    if (!more) return out_of_memory();
    card->blocks = more;
    card->block_room = room;
  }
  const uint64_t size = bytes ? (bytes + kPage - 1) / kPage * kPage : kPage;
  if (size < bytes) {
    return systole_fail(SYSTOLE_ERR_DEVICE_MEMORY, "no card has 2^64 bytes of memory");
  }
  block b = {NULL, NULL, 0, size, port};
  systole_xrt_enter(0);
  errno = 0;
  b.buffer = allocate(card, port, size);
  const int error = errno;
  if (b.buffer) {
    b.host = api->xrtBOMap(b.buffer);
    b.address = api->xrtBOAddress(b.buffer);
  }
  if (b.buffer && (!b.host || b.address == 0)) {
    (void)api->xrtBOFree(b.buffer);
    b.buffer = NULL;
  }
  systole_xrt_leave();
  if (!b.buffer) {
    return systole_fail(SYSTOLE_ERR_DEVICE_MEMORY,
                        "%llu bytes of device memory on gmem%d (%s) were asked for, and "
                        "XRT has no room: %s",
                        (unsigned long long)bytes, (int)port,
                        card->group[port] < card->xclbin->bank_count
                            ? card->xclbin->banks[card->group[port]].tag
                            : "?",
                        error ? strerror(error) : "the bank is full");
  }
  card->blocks[card->block_count++] = b;
  *address = b.address;
  return SYSTOLE_OK;
}

static void xrt_free(systole_card *card, systole_port port, uint64_t address) {
  for (size_t i = 0; address != 0 && i < card->block_count; i++) {
    if (card->blocks[i].port != port || card->blocks[i].address != address) continue;
    systole_xrt_enter(0);
    (void)card->session.api.xrtBOFree(card->blocks[i].buffer);
    systole_xrt_leave();
    card->blocks[i] = card->blocks[--card->block_count];
    return;
  }
}

static systole_status copy(systole_card *card, const block *b, int direction,
                           uint64_t bytes, uint64_t offset) {
  systole_xrt_enter(0);
  errno = 0;
  const int error = card->session.api.xrtBOSync(b->buffer, direction, bytes, offset);
  const int why = errno;
  systole_xrt_leave();
  return error == 0
             ? SYSTOLE_OK
             : systole_fail(
                   SYSTOLE_ERR_DEVICE, "XRT failed to copy %llu bytes %s: %s",
                   (unsigned long long)bytes,
                   direction == SYSTOLE_XRT_TO_DEVICE ? "to the card" : "from the card",
                   why ? strerror(why) : "it does not say why");
}

static systole_status xrt_write(systole_card *card, systole_port port, uint64_t address,
                                const void *data, uint64_t bytes) {
  if (bytes == 0) return SYSTOLE_OK;
  const size_t i = find_block(card, port, address, bytes);
  if (i == card->block_count) return no_block(port, address, bytes);
  const block *b = &card->blocks[i];
  memcpy(b->host + (address - b->address), data, bytes);
  return copy(card, b, SYSTOLE_XRT_TO_DEVICE, bytes, address - b->address);
}

static systole_status xrt_read(systole_card *card, systole_port port, uint64_t address,
                               void *data, uint64_t bytes) {
  if (bytes == 0) return SYSTOLE_OK;
  const size_t i = find_block(card, port, address, bytes);
  if (i == card->block_count) return no_block(port, address, bytes);
  const block *b = &card->blocks[i];
  systole_status status =
      copy(card, b, SYSTOLE_XRT_FROM_DEVICE, bytes, address - b->address);
  if (status == SYSTOLE_OK) memcpy(data, b->host + (address - b->address), bytes);
  return status;
}

/* ---- runs ----------------------------------------------------------------------------
 */

/* XRT takes buffers for pointers: an address inside one goes as a sub-buffer. */
static systole_status set_pointer(systole_card *card, int argument, systole_port port,
                                  uint64_t address) {
  const systole_xrt_api *api = &card->session.api;
  const size_t i = find_block(card, port, address, 1);
  if (i == card->block_count) return no_block(port, address, 1);
  const block *b = &card->blocks[i];
  void *buffer = b->buffer;
  if (address != b->address) {
    const uint64_t offset = address - b->address;
    buffer = card->parts[argument] =
        api->xrtBOSubAlloc(buffer, b->bytes - offset, offset);
  }
  if (!buffer || api->xrtRunSetArg(card->run, argument, buffer) != 0) {
    return systole_fail(SYSTOLE_ERR_DEVICE,
                        "XRT does not take address 0x%llx for the run",
                        (unsigned long long)address);
  }
  return SYSTOLE_OK;
}

static systole_status xrt_start(systole_card *card, const systole_launch *launch) {
  const systole_xrt_api *api = &card->session.api;
  if (card->running) {
    return systole_fail(SYSTOLE_ERR_DEVICE,
                        "a run was started while another one is going; wait for it or "
                        "reset the device");
  }
  if (!card->run) {
    return systole_fail(SYSTOLE_ERR_DEVICE, "the device must be reset or reopened");
  }
  systole_xrt_enter(0);
  drop_parts(card);
  systole_status status =
      set_pointer(card, kProgram, SYSTOLE_PORT_GMEM1, launch->program);
  if (status == SYSTOLE_OK)
    status = set_pointer(card, kWeights, SYSTOLE_PORT_GMEM1, launch->weights);
  if (status == SYSTOLE_OK)
    status = set_pointer(card, kActivations, SYSTOLE_PORT_GMEM0, launch->activations);
  if (status == SYSTOLE_OK &&
      api->xrtRunSetArg(card->run, kInstructions, launch->instructions) != 0) {
    status = systole_fail(SYSTOLE_ERR_DEVICE, "XRT does not take %u instructions",
                          launch->instructions);
  }
  card->started_cpu = systole_cpu_seconds();
  errno = 0;
  if (status == SYSTOLE_OK && api->xrtRunStart(card->run) != 0) {
    status = systole_fail(SYSTOLE_ERR_DEVICE, "XRT does not start the run: %s",
                          errno ? strerror(errno) : "it does not say why");
  }
  systole_xrt_leave();
  card->running = status == SYSTOLE_OK;
  systole_xrt_silence_begin(&card->silence);
  return status;
}

static systole_status ended(systole_card *card, int state) {
  card->running = 0;
  card->cpu_seconds += systole_cpu_seconds() - card->started_cpu;
  if (state == SYSTOLE_XRT_COMPLETED) return SYSTOLE_OK;
  return systole_fail(SYSTOLE_ERR_DEVICE, "XRT ended the run %s (state %d)",
                      state == SYSTOLE_XRT_ERROR     ? "with an error"
                      : state == SYSTOLE_XRT_ABORT   ? "because it was aborted"
                      : state == SYSTOLE_XRT_TIMEOUT ? "because the card did not answer"
                                                     : "in an unknown way",
                      state);
}

static systole_status xrt_wait(systole_card *card, uint32_t slice_ms, int *done) {
  *done = 0;
  if (!card->running) {
    *done = 1;
    return SYSTOLE_OK;
  }
  /* 0 would be for ever. */
  systole_xrt_enter(0);
  int state = card->session.api.xrtRunWaitFor(card->run, slice_ms ? slice_ms : 1);
  const int timed_out = state == SYSTOLE_XRT_TIMEOUT;
  if (timed_out) state = card->session.api.xrtRunState(card->run);
  systole_xrt_leave();
  if (timed_out && state != SYSTOLE_XRT_TIMEOUT && state < SYSTOLE_XRT_COMPLETED) {
    return systole_xrt_silence_check(&card->silence, &card->session);
  }
  systole_status status = ended(card, state);
  *done = status == SYSTOLE_OK;
  return status;
}

/* Closing the unit ends its run: XRT's driver aborts it. What then is still busy can only
 * be reset by an administrator. */
static systole_status xrt_reset(systole_card *card) {
  if (card->running) card->cpu_seconds += systole_cpu_seconds() - card->started_cpu;
  close_run(card);
  systole_status status = systole_xrt_session_reopen(&card->session);
  if (status == SYSTOLE_OK) status = systole_xrt_await_idle(&card->session);
  if (status == SYSTOLE_OK) status = open_run(card);
  return status;
}

/* ---- figures -------------------------------------------------------------------------
 */

static int xrt_simulates(const systole_card *card) { return card->xclbin->simulated; }

static double xrt_clock_mhz(const systole_card *card, systole_kind *kind) {
  return systole_xrt_clock_mhz(card->xclbin, kind);
}

static const char *xrt_memory_name(const systole_card *card) {
  return systole_xrt_memory_name(card->xclbin);
}

static double xrt_run_cpu_seconds(const systole_card *card) {
  return card->xclbin->simulated ? card->cpu_seconds : 0.0;
}

const systole_card_ops systole_card_xrt = {
    .version = SYSTOLE_CARD_VERSION,
    .scheme = "xrt",
    .simulated = 0,
    .list = xrt_list,
    .open = xrt_open,
    .close = xrt_close,
    .read_register = xrt_read_register,
    .alloc = xrt_alloc,
    .free = xrt_free,
    .write = xrt_write,
    .read = xrt_read,
    .start = xrt_start,
    .wait = xrt_wait,
    .reset = xrt_reset,
    .clock_mhz = xrt_clock_mhz,
    .memory_name = xrt_memory_name,
    .run_cpu_seconds = xrt_run_cpu_seconds,
    .simulates = xrt_simulates,
};
