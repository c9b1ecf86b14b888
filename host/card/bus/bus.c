#include "card/bus/bus.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../../../sim/memory/axi_store.h"
#include "card/systole_isa.h"
#include "support/error.h"

struct systole_card {
  systole_bus bus;
  /* Who uses which part of the memory: never its contents. Both ports may share one. */
  systole_axi_store *use[2];
  int running;
};

enum { ControlStart = 1, ControlDone = 2, ControlIdle = 4 };

static systole_axi_store *use_of(const systole_card *card, systole_port port) {
  return card->use[port] != NULL ? card->use[port] : card->use[0];
}

static systole_status bus_read_register(systole_card *card, uint32_t offset,
                                        uint32_t *value) {
  *value = 0;
  return card->bus.read_register(card->bus.user, offset, value);
}

/* The kernel, not something else, must answer at these addresses. */
static systole_status identify(systole_card *card) {
  uint32_t identity = 0, version = 0;
  systole_status status = bus_read_register(card, SYSTOLE_REG_IDENTITY, &identity);
  if (status == SYSTOLE_OK) {
    status = bus_read_register(card, SYSTOLE_REG_VERSION, &version);
  }
  if (status != SYSTOLE_OK) return status;
  if (identity != SYSTOLE_IDENTITY_VALUE || (version & 0xFF) != SYSTOLE_ISA_VERSION) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "the registers behind this bus have identity 0x%08x and "
                        "instruction set %u; Systole's are 0x%08x and %u",
                        identity, version & 0xFF, SYSTOLE_IDENTITY_VALUE,
                        SYSTOLE_ISA_VERSION);
  }
  return SYSTOLE_OK;
}

static systole_status check(const systole_bus *bus) {
  if (bus == NULL || bus->version != SYSTOLE_BUS_VERSION) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "a bus of version %d was expected: initialise it with "
                        "SYSTOLE_BUS_INIT",
                        SYSTOLE_BUS_VERSION);
  }
  if (bus->read_register == NULL || bus->write_register == NULL || bus->read == NULL ||
      bus->write == NULL) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "a bus needs read_register, write_register, read and write");
  }
  for (int port = 0; port < 2; port++) {
    const uint64_t base = bus->memory_base[port], bytes = bus->memory_bytes[port];
    if (bytes < SYSTOLE_AXI_STORE_ALIGN || base % SYSTOLE_AXI_STORE_ALIGN != 0 ||
        bytes % SYSTOLE_AXI_STORE_ALIGN != 0 || base + (bytes - 1) < base || base == 0) {
      return systole_fail(SYSTOLE_ERR_ARGUMENT,
                          "the memory behind gmem%d is %llu bytes from 0x%llx on; both "
                          "are multiples of 4096, and neither is 0",
                          port, (unsigned long long)bytes, (unsigned long long)base);
    }
  }
  return SYSTOLE_OK;
}

static void bus_close(systole_card *card) {
  if (card == NULL) return;
  systole_axi_store_free(card->use[0]);
  systole_axi_store_free(card->use[1]);
  free(card);
}

systole_status systole_card_bus_make(systole_card **out, const systole_bus *bus) {
  *out = NULL;
  systole_status status = check(bus);
  if (status != SYSTOLE_OK) return status;
  systole_card *card = calloc(1, sizeof *card);
  if (card == NULL) return systole_fail(SYSTOLE_ERR_HOST_MEMORY, "no memory is left");
  card->bus = *bus;
  const int shared = bus->memory_base[0] == bus->memory_base[1];
  for (int port = 0; port < (shared ? 1 : 2) && status == SYSTOLE_OK; port++) {
    /* Of one memory the part that both ports reach. */
    uint64_t bytes = bus->memory_bytes[port];
    if (shared && bus->memory_bytes[1] < bytes) bytes = bus->memory_bytes[1];
    card->use[port] = systole_axi_store_create(bus->memory_base[port], bytes);
    if (card->use[port] == NULL) {
      status = systole_fail(SYSTOLE_ERR_HOST_MEMORY, "no room for a list of memory: %s",
                            strerror(errno));
    }
  }
  if (status == SYSTOLE_OK) status = identify(card);
  if (status != SYSTOLE_OK) {
    bus_close(card);
    return status;
  }
  *out = card;
  return SYSTOLE_OK;
}

static systole_status bus_open(systole_card **out, const char *what,
                               const systole_device_options *options) {
  (void)options;
  *out = NULL;
  return systole_fail(SYSTOLE_ERR_NOT_FOUND,
                      "bus:%s cannot be opened by its name; a program does it with "
                      "systole_device_open_on_bus",
                      what);
}

static systole_status bus_alloc(systole_card *card, systole_port port, uint64_t bytes,
                                uint64_t *address) {
  uint64_t used, longest;
  systole_axi_store *use = use_of(card, port);
  *address = systole_axi_store_alloc(use, bytes);
  if (*address != 0) return SYSTOLE_OK;
  systole_axi_store_usage(use, &used, &longest);
  return systole_fail(SYSTOLE_ERR_DEVICE_MEMORY,
                      "%llu bytes of device memory behind gmem%d were asked for; %llu of "
                      "%llu are in use, and the longest gap has %llu",
                      (unsigned long long)bytes, (int)port, (unsigned long long)used,
                      (unsigned long long)use->bytes, (unsigned long long)longest);
}

static void bus_free(systole_card *card, systole_port port, uint64_t address) {
  if (address != 0) (void)systole_axi_store_release(use_of(card, port), address);
}

static systole_status check_range(const systole_card *card, systole_port port,
                                  uint64_t address, uint64_t bytes) {
  if (systole_axi_store_at(use_of(card, port), address, bytes) != NULL) return SYSTOLE_OK;
  return systole_fail(SYSTOLE_ERR_DEVICE,
                      "%llu bytes at device address 0x%llx are not in the memory behind "
                      "gmem%d",
                      (unsigned long long)bytes, (unsigned long long)address, (int)port);
}

static systole_status bus_write(systole_card *card, systole_port port, uint64_t address,
                                const void *data, uint64_t bytes) {
  const systole_status status = check_range(card, port, address, bytes);
  if (status != SYSTOLE_OK || bytes == 0) return status;
  return card->bus.write(card->bus.user, port, address, data, bytes);
}

static systole_status bus_read(systole_card *card, systole_port port, uint64_t address,
                               void *data, uint64_t bytes) {
  const systole_status status = check_range(card, port, address, bytes);
  if (status != SYSTOLE_OK || bytes == 0) return status;
  return card->bus.read(card->bus.user, port, address, data, bytes);
}

static systole_status put(systole_card *card, uint32_t offset, uint32_t value) {
  return card->bus.write_register(card->bus.user, offset, value);
}

static systole_status put_pointer(systole_card *card, uint32_t offset, uint64_t value) {
  systole_status status = put(card, offset, (uint32_t)value);
  if (status == SYSTOLE_OK) status = put(card, offset + 4, (uint32_t)(value >> 32));
  return status;
}

static systole_status bus_start(systole_card *card, const systole_launch *launch) {
  if (card->running) {
    return systole_fail(SYSTOLE_ERR_DEVICE, "a run is going on this device");
  }
  systole_status status = put_pointer(card, SYSTOLE_REG_PROGRAM, launch->program);
  if (status == SYSTOLE_OK) {
    status = put_pointer(card, SYSTOLE_REG_WEIGHTS, launch->weights);
  }
  if (status == SYSTOLE_OK) {
    status = put_pointer(card, SYSTOLE_REG_ACTIVATIONS, launch->activations);
  }
  if (status == SYSTOLE_OK) {
    status = put(card, SYSTOLE_REG_INSTRUCTIONS, launch->instructions);
  }
  /* The interrupt of a run that is over, for who waits for it. */
  if (status == SYSTOLE_OK) status = put(card, SYSTOLE_REG_INTERRUPT_ENABLE, 1);
  if (status == SYSTOLE_OK) status = put(card, SYSTOLE_REG_INTERRUPT_MASK, 1);
  if (status == SYSTOLE_OK) status = put(card, SYSTOLE_REG_CONTROL, ControlStart);
  card->running = status == SYSTOLE_OK;
  return status;
}

static systole_status bus_wait(systole_card *card, uint32_t slice_ms, int *done) {
  uint32_t control = 0, pending = 0;
  *done = !card->running;
  if (!card->running) return SYSTOLE_OK;
  systole_status status = bus_read_register(card, SYSTOLE_REG_CONTROL, &control);
  if (status == SYSTOLE_OK && !(control & (ControlDone | ControlIdle)) &&
      card->bus.wait != NULL) {
    status = card->bus.wait(card->bus.user, slice_ms);
    if (status == SYSTOLE_OK) {
      status = bus_read_register(card, SYSTOLE_REG_CONTROL, &control);
    }
  }
  if (status != SYSTOLE_OK || !(control & (ControlDone | ControlIdle))) return status;
  /* Writing back what is up takes the interrupt away. */
  status = bus_read_register(card, SYSTOLE_REG_INTERRUPT_STATUS, &pending);
  if (status == SYSTOLE_OK && pending != 0) {
    status = put(card, SYSTOLE_REG_INTERRUPT_STATUS, pending);
  }
  card->running = 0;
  *done = status == SYSTOLE_OK;
  return status;
}

static double bus_clock_mhz(const systole_card *card, systole_kind *kind) {
  if (kind != NULL) *kind = SYSTOLE_KIND_ASSUMED;
  return card->bus.clock_mhz > 0 ? card->bus.clock_mhz : 300.0;
}

static const char *bus_memory_name(const systole_card *card) {
  (void)card;
  return NULL;
}

static double bus_cpu_seconds(const systole_card *card) {
  (void)card;
  return 0;
}

static void bus_list(void (*add)(void *user, const systole_device_info *info),
                     void *user) {
  (void)add;
  (void)user;
}

const systole_card_ops systole_card_bus = {
    .version = SYSTOLE_CARD_VERSION,
    .scheme = "bus",
    .simulated = 0,
    .list = bus_list,
    .open = bus_open,
    .close = bus_close,
    .read_register = bus_read_register,
    .alloc = bus_alloc,
    .free = bus_free,
    .write = bus_write,
    .read = bus_read,
    .start = bus_start,
    .wait = bus_wait,
    .reset = NULL,
    .clock_mhz = bus_clock_mhz,
    .memory_name = bus_memory_name,
    .run_cpu_seconds = bus_cpu_seconds,
};
