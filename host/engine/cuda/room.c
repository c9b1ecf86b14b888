#include "room.h"

#include <string.h>

#include "support/error.h"

systole_status systole_cuda_room_use(const systole_cuda_room *room) {
  return systole_cuda_status(room->cuda, room->cuda->driver.context_use(room->context),
                             "use the device");
}

static void buffer_free(systole_cuda_buffer *buffer, const cuda_driver *driver) {
  if (buffer->host != NULL) driver->release_host(buffer->host);
  if (buffer->device != 0) driver->release(buffer->device);
  memset(buffer, 0, sizeof *buffer);
}

void systole_cuda_room_close(systole_cuda_room *room) {
  if (room->cuda == NULL) return;
  const cuda_driver *driver = &room->cuda->driver;
  /* Without its context nothing of it can be freed, nor be there. */
  if (room->context != NULL) {
    (void)driver->context_use(room->context);
    if (room->stream != NULL) (void)driver->stream_wait(room->stream);
    buffer_free(&room->a, driver);
    buffer_free(&room->c, driver);
    if (room->workspace != 0) driver->release(room->workspace);
    if (room->lt != NULL) room->cuda->lt.destroy(room->lt);
    for (int i = 0; i < SystoleCudaEvents; i++) {
      if (room->events[i] != NULL) driver->event_destroy(room->events[i]);
    }
    if (room->stream != NULL) driver->stream_destroy(room->stream);
    (void)driver->context_use(NULL);
    driver->context_release(room->device.device);
  }
  memset(room, 0, sizeof *room);
}

systole_status systole_cuda_room_open(systole_cuda_room *out,
                                      const systole_cuda_device *device,
                                      systole_format format) {
  const char *why = "";
  out->cuda = systole_cuda(&why);
  if (out->cuda == NULL) return systole_fail(SYSTOLE_ERR_NOT_FOUND, "%s", why);
  out->device = *device;
  out->format = format;
  const cuda_driver *driver = &out->cuda->driver;
  systole_status status = systole_cuda_status(
      out->cuda, driver->context_retain(&out->context, device->device),
      "open the device");
  if (status == SYSTOLE_OK) status = systole_cuda_room_use(out);
  if (status == SYSTOLE_OK) {
    status = systole_cuda_status(out->cuda, driver->stream_create(&out->stream, 0),
                                 "make a stream");
  }
  for (int i = 0; i < SystoleCudaEvents && status == SYSTOLE_OK; i++) {
    status = systole_cuda_status(out->cuda, driver->event_create(&out->events[i], 0),
                                 "make an event");
  }
  if (status == SYSTOLE_OK) {
    status = systole_cuda_lt_status(out->cuda->lt.create(&out->lt), "start");
  }
  if (status == SYSTOLE_OK &&
      driver->allocate(&out->workspace, SystoleCudaWorkspaceBytes) == CudaSuccess) {
    out->workspace_bytes = SystoleCudaWorkspaceBytes; /* without it fewer ways are open */
  }
  return status;
}

systole_status systole_cuda_buffer_grow(systole_cuda_buffer *buffer,
                                        const systole_cuda_room *room, size_t bytes,
                                        const char *what) {
  const cuda_driver *driver = &room->cuda->driver;
  if (buffer->bytes >= bytes) return SYSTOLE_OK;
  buffer_free(buffer, driver);
  cuda_result code = driver->allocate(&buffer->device, bytes);
  if (code == CudaSuccess) code = driver->allocate_host(&buffer->host, bytes);
  if (code == CudaSuccess) {
    buffer->bytes = bytes;
    return SYSTOLE_OK;
  }
  buffer_free(buffer, driver);
  return systole_fail(
      code == CudaOutOfMemory ? SYSTOLE_ERR_DEVICE_MEMORY : SYSTOLE_ERR_DEVICE,
      "%s of %zu bytes do not fit on %s (%llu MiB, part of it in use): %s", what, bytes,
      room->device.name, (unsigned long long)(room->device.memory_bytes >> 20),
      systole_cuda_error(room->cuda, code));
}
