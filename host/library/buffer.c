#include <string.h>

#include "engine/accelerator/accelerator.h"
#include "library/device.h"
#include "support/clock.h"
#include "support/error.h"
#include "support/memory.h"

struct systole_buffer {
  systole_device *device;
  const systole_card_ops *ops;
  systole_card *card;
  systole_port port;
  uint64_t address, bytes;
};

systole_status systole_buffer_create(systole_buffer **out, systole_device *device,
                                     systole_port port, uint64_t bytes) {
  if (out == NULL)
    return systole_fail(SYSTOLE_ERR_ARGUMENT, "there is no place for a buffer");
  *out = NULL;
  if (device == NULL) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "the device is NULL; open one with systole_device_open");
  }
  if (port != SYSTOLE_PORT_GMEM0 && port != SYSTOLE_PORT_GMEM1) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT, "%d is no memory port; there are 0 and 1",
                        (int)port);
  }
  if (bytes == 0)
    return systole_fail(SYSTOLE_ERR_ARGUMENT, "a buffer has at least one byte");
  systole_card *card;
  const systole_card_ops *ops = systole_device_card(device, &card);
  if (ops == NULL) {
    return systole_fail(SYSTOLE_ERR_UNSUPPORTED,
                        "%s is no accelerator and has no device memory of its own",
                        systole_device_name(device));
  }
  void *memory;
  systole_status status =
      systole_allocate_zeroed(&memory, 1, sizeof(systole_buffer), "a buffer handle");
  if (status != SYSTOLE_OK) return status;
  systole_buffer *buffer = memory;
  *buffer = (systole_buffer){device, ops, card, port, 0, bytes};
  status = ops->alloc(card, port, bytes, &buffer->address);
  if (status == SYSTOLE_OK) {
    *out = buffer;
  } else {
    systole_release(buffer);
  }
  return status;
}

void systole_buffer_free(systole_buffer *buffer) {
  if (buffer == NULL) return;
  buffer->ops->free(buffer->card, buffer->port, buffer->address);
  systole_release(buffer);
}

static systole_status check_range(const systole_buffer *buffer, uint64_t offset,
                                  const void *data, uint64_t bytes) {
  if (buffer == NULL) return systole_fail(SYSTOLE_ERR_ARGUMENT, "the buffer is NULL");
  if (offset > buffer->bytes || bytes > buffer->bytes - offset) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "%llu bytes from %llu on are not inside a buffer of %llu",
                        (unsigned long long)bytes, (unsigned long long)offset,
                        (unsigned long long)buffer->bytes);
  }
  if (data == NULL && bytes > 0) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "the data are NULL but should be %llu bytes",
                        (unsigned long long)bytes);
  }
  return SYSTOLE_OK;
}

systole_status systole_buffer_write(systole_buffer *buffer, uint64_t offset,
                                    const void *data, uint64_t bytes) {
  systole_status status = check_range(buffer, offset, data, bytes);
  if (status != SYSTOLE_OK || bytes == 0) return status;
  return buffer->ops->write(buffer->card, buffer->port, buffer->address + offset, data,
                            bytes);
}

systole_status systole_buffer_read(const systole_buffer *buffer, uint64_t offset,
                                   void *data, uint64_t bytes) {
  systole_status status = check_range(buffer, offset, data, bytes);
  if (status != SYSTOLE_OK || bytes == 0) return status;
  return buffer->ops->read(buffer->card, buffer->port, buffer->address + offset, data,
                           bytes);
}

/* A buffer of this device on the port that its role asks for. */
static systole_status check_role(const systole_device *device,
                                 const systole_buffer *buffer, const char *role,
                                 systole_port port) {
  if (buffer == NULL) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT, "the buffer of the %s is NULL", role);
  }
  if (buffer->device != device) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "the buffer of the %s belongs to another device", role);
  }
  if (buffer->port != port) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT, "the buffer of the %s must be on gmem%d",
                        role, (int)port);
  }
  return SYSTOLE_OK;
}

systole_status systole_run(systole_device *device, const systole_buffer *program,
                           uint32_t instructions, const systole_buffer *weights,
                           const systole_buffer *activations, systole_stats *stats) {
  systole_stats local;
  if (stats == NULL) stats = &local;
  memset(stats, 0, sizeof *stats);
  if (device == NULL) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "the device is NULL; open one with systole_device_open");
  }
  systole_status status = check_role(device, program, "program", SYSTOLE_PORT_GMEM1);
  if (status == SYSTOLE_OK) {
    status = check_role(device, weights, "weights", SYSTOLE_PORT_GMEM1);
  }
  if (status == SYSTOLE_OK) {
    status = check_role(device, activations, "activations", SYSTOLE_PORT_GMEM0);
  }
  if (status != SYSTOLE_OK) return status;
  if (instructions == 0 || instructions > program->bytes / SYSTOLE_INSTRUCTION_BYTES) {
    return systole_fail(
        SYSTOLE_ERR_ARGUMENT,
        "%u instructions do not fit the program's buffer, which holds 1 to %llu",
        instructions, (unsigned long long)(program->bytes / SYSTOLE_INSTRUCTION_BYTES));
  }
  const systole_run_context *context = systole_accelerator_context(device->engine);
  systole_launch launch = {program->address, weights->address, activations->address,
                           instructions};
  systole_run_share share = {0, 0, 0};
  systole_run_totals totals;
  memset(&totals, 0, sizeof totals);
  double wall = systole_wall_seconds(), cpu = systole_cpu_seconds();
  status = systole_run_once(context, &launch, &share, &totals);
  if (status == SYSTOLE_OK) systole_run_fill_stats(stats, context, &totals, 0);
  stats->wall_s = systole_wall_seconds() - wall;
  stats->cpu_s = systole_cpu_seconds() - cpu;
  return status;
}
