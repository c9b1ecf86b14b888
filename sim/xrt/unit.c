/* pthread_setname_np is a GNU extension. */
#define _GNU_SOURCE
#include "unit.h"

#include <dlfcn.h>
#include <errno.h>
#include <ert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "card/rtl/find.h"
#include "card/systole_isa.h"
#include "card/systole_kernel.h"
#include "support/error.h"
#include "systole_rtl.h"

enum {
  kSliceMs = 1,        /* how long a register access may have to wait for a run */
  kModelMemory = 4096, /* bytes of the model's own memory, which nothing uses */
  kFirstWord = 4       /* of a command's registers: the driver leaves 0 ... 3 alone */
};

typedef struct command {
  struct command *next;
  struct ert_start_kernel_cmd *packet;
  systole_sim_done done;
  void *owner;
} command;

struct systole_sim_unit {
  char name[65];
  const systole_rtl_api *api;
  systole_rtl *model;
  systole_axi_store views[2];

  pthread_mutex_t lock; /* of all below, and of the model */
  pthread_cond_t work;  /* for the thread: a command, no guests, or the end */
  pthread_cond_t calm;  /* for others: a command has ended */
  pthread_t thread;
  int threaded, quit, broken;
  atomic_int guests; /* that wait for the lock while a run holds it */
  command *first, **last;
  command *running;
  int cut; /* the running command shall be cut off */
  systole_sim_unit *next;
};

/* A run holds the lock for as long as it goes, but for those who say that they wait. */
static void seize(systole_sim_unit *unit) {
  atomic_fetch_add(&unit->guests, 1);
  pthread_mutex_lock(&unit->lock);
  if (atomic_fetch_sub(&unit->guests, 1) == 1) pthread_cond_broadcast(&unit->work);
}

/* ---- the end of the process ----------------------------------------------------------
 * Threads that simulate must stand still before the destructors of the model's library
 * run. XRT closes its handles later, from destructors of its own; units outlive that. */

static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;
static systole_sim_unit *all_units;

static void stop_thread(systole_sim_unit *unit) {
  seize(unit);
  const int threaded = unit->threaded;
  unit->quit = 1;
  unit->threaded = 0;
  pthread_cond_broadcast(&unit->work);
  pthread_mutex_unlock(&unit->lock);
  if (threaded && !pthread_equal(unit->thread, pthread_self())) {
    pthread_join(unit->thread, NULL);
  }
}

static void stop_all(void) {
  pthread_mutex_lock(&all_lock);
  for (systole_sim_unit *unit = all_units; unit; unit = unit->next) stop_thread(unit);
  pthread_mutex_unlock(&all_lock);
}

/* ---- commands ------------------------------------------------------------------------
 */

static uint32_t words_of(const struct ert_start_kernel_cmd *packet) {
  const uint32_t masks = 1 + packet->extra_cu_masks;
  return packet->count > masks ? packet->count - masks : 0;
}

static uint32_t word_at(const struct ert_start_kernel_cmd *packet, uint32_t offset) {
  return packet->data[packet->extra_cu_masks + offset / 4];
}

static uint64_t pair_at(const struct ert_start_kernel_cmd *packet, uint32_t offset) {
  return word_at(packet, offset) | (uint64_t)word_at(packet, offset + 4) << 32;
}

#define SYSTOLE_COVERS(identifier, id, at, bytes, pointer, port) \
  ((at) <= offset && offset < (at) + (bytes)) ||
static int is_argument(uint32_t offset) {
  return SYSTOLE_KERNEL_ARGUMENTS(SYSTOLE_COVERS) 0;
}
#undef SYSTOLE_COVERS

/* The driver writes every word from 0x10 to the end of the last argument, gaps included;
 * `start` writes the arguments. */
static systole_status start(systole_sim_unit *unit,
                            const struct ert_start_kernel_cmd *packet) {
  systole_status status = SYSTOLE_OK;
  for (uint32_t i = kFirstWord; i < words_of(packet) && status == SYSTOLE_OK; i++) {
    if (is_argument(4 * i)) continue;
    status = unit->api->write_register(unit->model, 4 * i, word_at(packet, 4 * i));
  }
  if (status != SYSTOLE_OK) return status;
  return unit->api->start(unit->model, pair_at(packet, SYSTOLE_REG_PROGRAM),
                          pair_at(packet, SYSTOLE_REG_WEIGHTS),
                          pair_at(packet, SYSTOLE_REG_ACTIVATIONS),
                          word_at(packet, SYSTOLE_REG_INSTRUCTIONS));
}

/* Runs a command to its end, with the lock held but for guests. */
static enum ert_cmd_state run(systole_sim_unit *unit, const command *c) {
  int done = 0;
  if (unit->broken && unit->api->reset(unit->model) == SYSTOLE_OK) unit->broken = 0;
  systole_status status = start(unit, c->packet);
  while (status == SYSTOLE_OK && !done && !unit->cut && !unit->quit) {
    status = unit->api->wait(unit->model, kSliceMs, &done);
    while (atomic_load(&unit->guests) > 0 && !done) {
      pthread_cond_wait(&unit->work, &unit->lock);
    }
  }
  if (status != SYSTOLE_OK) {
    (void)fprintf(stderr, "systole card: %s: %s\n", unit->name,
                  unit->api->story(unit->model));
    unit->broken = 1;
    return ERT_CMD_STATE_ERROR;
  }
  if (done) return ERT_CMD_STATE_COMPLETED;
  (void)unit->api->reset(unit->model);
  return ERT_CMD_STATE_ABORT;
}

static void finish(command *c, enum ert_cmd_state state) {
  atomic_thread_fence(memory_order_release); /* results before the state */
  c->packet->state = (uint32_t)state & 0xFu;
  c->done(c->owner);
  free(c);
}

static void *work(void *user) {
  systole_sim_unit *unit = user;
  pthread_mutex_lock(&unit->lock);
  while (!unit->quit) {
    command *c = unit->first;
    if (!c) {
      pthread_cond_wait(&unit->work, &unit->lock);
      continue;
    }
    unit->first = c->next;
    if (!unit->first) unit->last = &unit->first;
    unit->running = c;
    unit->cut = 0;
    c->packet->state = ERT_CMD_STATE_RUNNING;
    const enum ert_cmd_state state = run(unit, c);
    unit->running = NULL;
    finish(c, state);
    pthread_cond_broadcast(&unit->calm);
  }
  while (unit->first) { /* nobody shall wait for what will not come */
    command *c = unit->first;
    unit->first = c->next;
    finish(c, ERT_CMD_STATE_ABORT);
  }
  unit->last = &unit->first;
  pthread_cond_broadcast(&unit->calm);
  pthread_mutex_unlock(&unit->lock);
  return NULL;
}

int systole_sim_unit_submit(systole_sim_unit *unit, struct ert_start_kernel_cmd *packet,
                            systole_sim_done done, void *owner) {
  if (4 * words_of(packet) < SYSTOLE_KERNEL_ARGUMENTS_END) return EINVAL;
  command *c = malloc(sizeof *c);
  if (!c) return ENOMEM;
  *c = (command){NULL, packet, done, owner};
  int error = 0;
  seize(unit);
  if (unit->quit) error = ENODEV;
  if (!error && !unit->threaded) {
    error = pthread_create(&unit->thread, NULL, work, unit);
    unit->threaded = !error;
    if (!error) (void)pthread_setname_np(unit->thread, "systole_unit");
  }
  if (!error) {
    packet->state = ERT_CMD_STATE_QUEUED;
    *unit->last = c;
    unit->last = &c->next;
    pthread_cond_broadcast(&unit->work);
  }
  pthread_mutex_unlock(&unit->lock);
  if (error) free(c);
  return error;
}

void systole_sim_unit_abort(systole_sim_unit *unit, const void *owner) {
  command *dropped = NULL;
  seize(unit);
  for (command **at = &unit->first; *at;) {
    command *c = *at;
    if (c->owner != owner) {
      at = &c->next;
      continue;
    }
    *at = c->next;
    c->next = dropped;
    dropped = c;
  }
  unit->last = &unit->first;
  while (*unit->last) unit->last = &(*unit->last)->next;
  while (unit->running && unit->running->owner == owner) {
    unit->cut = 1;
    pthread_cond_wait(&unit->calm, &unit->lock);
  }
  pthread_mutex_unlock(&unit->lock);
  while (dropped) {
    command *c = dropped;
    dropped = c->next;
    finish(c, ERT_CMD_STATE_ABORT);
  }
}

int systole_sim_unit_load(systole_sim_unit *unit) {
  seize(unit);
  int load = unit->running != NULL;
  for (const command *c = unit->first; c; c = c->next) load++;
  pthread_mutex_unlock(&unit->lock);
  return load;
}

/* ---- registers -----------------------------------------------------------------------
 */

static systole_status leave(systole_sim_unit *unit, systole_status status) {
  if (status != SYSTOLE_OK) {
    (void)fprintf(stderr, "systole card: %s: %s\n", unit->name,
                  unit->api->story(unit->model));
  }
  pthread_mutex_unlock(&unit->lock);
  return status;
}

systole_status systole_sim_unit_read(systole_sim_unit *unit, uint32_t offset,
                                     uint32_t *value) {
  seize(unit);
  return leave(unit, unit->api->read_register(unit->model, offset, value));
}

systole_status systole_sim_unit_write(systole_sim_unit *unit, uint32_t offset,
                                      uint32_t value) {
  seize(unit);
  return leave(unit, unit->api->write_register(unit->model, offset, value));
}

/* ---- life ----------------------------------------------------------------------------
 */

static systole_status load_model(const systole_rtl_api **api,
                                 const systole_xclbin_image *image) {
  const systole_rtl_variant variant = {image->dim, image->readable, 0};
  char path[SYSTOLE_RTL_PATH_BYTES], name[64], folders[1024];
  const systole_rtl_api *(*entry)(void) = NULL;
  systole_rtl_file_name(name, variant);
  if (!systole_rtl_find(path, variant)) {
    systole_rtl_folders(folders, sizeof folders);
    return systole_fail(SYSTOLE_ERR_NOT_FOUND,
                        "the model that plays this card, %s, was not found in %s; build "
                        "it with: cmake --build FOLDER --target %.*s",
                        name, folders, (int)(strlen(name) - strlen("lib.so")),
                        name + strlen("lib"));
  }
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (!library) {
    const char *reason = dlerror();
    return systole_fail(SYSTOLE_ERR_NOT_FOUND, "cannot load the model %s: %s", path,
                        reason ? reason : "unknown reason");
  }
  /* POSIX defines this conversion, ISO C does not. */
  *(void **)&entry = dlsym(library, SYSTOLE_RTL_ENTRY);
  const systole_rtl_api *found = entry ? entry() : NULL;
  if (!found || found->version != SYSTOLE_RTL_API_VERSION || found->dim != image->dim ||
      found->flat_array != !image->readable) {
    return systole_fail(SYSTOLE_ERR_NOT_FOUND,
                        "%s is no model of this version, or of another array than the "
                        "xclbin's %d x %d; build it again",
                        path, image->dim, image->dim);
  }
  *api = found;
  return SYSTOLE_OK;
}

systole_status systole_sim_unit_create(systole_sim_unit **out, const char *name,
                                       const systole_xclbin_image *image,
                                       const systole_axi_store views[2]) {
  systole_device_options options = SYSTOLE_DEVICE_OPTIONS_INIT;
  char story[512] = "";
  *out = NULL;
  systole_sim_unit *unit = calloc(1, sizeof *unit);
  if (!unit)
    return systole_fail(SYSTOLE_ERR_HOST_MEMORY, "this machine is out of memory");
  (void)snprintf(unit->name, sizeof unit->name, "%s", name);
  systole_status status = load_model(&unit->api, image);
  if (status == SYSTOLE_OK) {
    options.memory = image->memory;
    options.clock_mhz = image->clock_mhz;
    options.memory_bytes = kModelMemory;
    status = unit->api->create(&unit->model, &options, story, sizeof story);
    if (status != SYSTOLE_OK) (void)systole_fail(status, "%s", story);
  }
  if (status != SYSTOLE_OK) {
    free(unit);
    return status;
  }
  for (int port = 0; port < 2; port++) {
    unit->views[port] = views[port];
    unit->api->attach(unit->model, port, &unit->views[port]);
  }
  unit->last = &unit->first;
  pthread_mutex_init(&unit->lock, NULL);
  pthread_cond_init(&unit->work, NULL);
  pthread_cond_init(&unit->calm, NULL);
  pthread_mutex_lock(&all_lock);
  /* Registered after every library that was loaded so far, hence run before their ends.
   */
  (void)atexit(stop_all);
  unit->next = all_units;
  all_units = unit;
  pthread_mutex_unlock(&all_lock);
  *out = unit;
  return SYSTOLE_OK;
}

void systole_sim_unit_destroy(systole_sim_unit *unit) {
  if (!unit) return;
  pthread_mutex_lock(&all_lock);
  systole_sim_unit **at = &all_units;
  while (*at && *at != unit) at = &(*at)->next;
  if (*at) *at = unit->next;
  pthread_mutex_unlock(&all_lock);
  stop_thread(unit);
  unit->api->destroy(unit->model);
  pthread_cond_destroy(&unit->calm);
  pthread_cond_destroy(&unit->work);
  pthread_mutex_destroy(&unit->lock);
  free(unit);
}
