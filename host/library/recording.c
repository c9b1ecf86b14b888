#define _POSIX_C_SOURCE 200809L
#include "library/recording.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/error.h"
#include "support/sha256.h"

static uint64_t little(const uint8_t *from, int bytes) {
  uint64_t value = 0;
  for (int i = bytes - 1; i >= 0; i--) value = value << 8 | from[i];
  return value;
}

systole_record_event systole_recording_next(const systole_recording *recording,
                                            uint64_t *at, const uint8_t **payload) {
  const uint8_t *from = recording->data + *at;
  const systole_record_event event = {
      (uint32_t)little(from, 4), (uint32_t)little(from + 4, 4), little(from + 8, 8),
      little(from + 16, 8),      little(from + 24, 8),          little(from + 32, 8)};
  *payload = from + SYSTOLE_RECORD_HEADER_BYTES;
  *at += SYSTOLE_RECORD_HEADER_BYTES + event.payload;
  return event;
}

static systole_status damaged(const char *path, const char *how) {
  return systole_fail(SYSTOLE_ERR_ARGUMENT,
                      "%s is a damaged recording: %s; copy or record it again", path,
                      how);
}

/* What the OPEN event tells of the card. */
static systole_status read_opening(systole_recording *out, const char *path,
                                   const uint8_t *json, uint64_t bytes) {
  cJSON *object = cJSON_ParseWithLength((const char *)json, (size_t)bytes);
  const cJSON *device = cJSON_GetObjectItemCaseSensitive(object, "device");
  const cJSON *memory = cJSON_GetObjectItemCaseSensitive(object, "memory");
  const cJSON *seed = cJSON_GetObjectItemCaseSensitive(object, "stall_seed");
  const cJSON *room = cJSON_GetObjectItemCaseSensitive(object, "memory_bytes");
  const cJSON *registers = cJSON_GetObjectItemCaseSensitive(object, "registers");
  int good = cJSON_IsString(device) && cJSON_IsString(seed) && cJSON_IsNumber(room) &&
             room->valuedouble >= 0 && room->valuedouble < 0x1p63 &&
             cJSON_GetArraySize(registers) == SYSTOLE_RECORDING_REGISTERS;
  for (int i = 0; good && i < SYSTOLE_RECORDING_REGISTERS; i++) {
    const cJSON *value = cJSON_GetArrayItem(registers, i);
    good = cJSON_IsNumber(value) && value->valuedouble >= 0 &&
           value->valuedouble <= UINT32_MAX;
    if (good) out->registers[i] = (uint32_t)value->valuedouble;
  }
  if (good) {
    (void)snprintf(out->device, sizeof out->device, "%s", device->valuestring);
    if (cJSON_IsString(memory)) {
      (void)snprintf(out->memory, sizeof out->memory, "%s", memory->valuestring);
    }
    out->stall_seed = strtoull(seed->valuestring, NULL, 10);
    out->memory_bytes = (uint64_t)room->valuedouble;
    out->simulated = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(object, "simulated"));
  }
  cJSON_Delete(object);
  return good ? SYSTOLE_OK : damaged(path, "its first event does not describe a card");
}

static systole_status check(systole_recording *out, const char *path) {
  const uint64_t tail = SYSTOLE_SHA256_BYTES, header = SYSTOLE_RECORD_HEADER_BYTES;
  if (out->bytes < SYSTOLE_RECORD_MAGIC_BYTES ||
      memcmp(out->data, SYSTOLE_RECORD_MAGIC, SYSTOLE_RECORD_MAGIC_BYTES) != 0) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "%s is no recording: it does not begin as one; make one with "
                        "--record FILE",
                        path);
  }
  if (out->bytes < SYSTOLE_RECORD_MAGIC_BYTES + 2 * header + tail) {
    return damaged(path, "it is cut short");
  }
  const uint64_t end = out->bytes - tail;
  uint8_t digest[SYSTOLE_SHA256_BYTES];
  systole_sha256_of(digest, out->data, (size_t)end);
  if (memcmp(digest, out->data + end, sizeof digest) != 0) {
    return damaged(path, "its content does not match its digest (cut short or changed)");
  }
  uint64_t at = SYSTOLE_RECORD_MAGIC_BYTES, events = 0;
  systole_status status = SYSTOLE_OK;
  systole_record_event event = {0};
  while (status == SYSTOLE_OK && event.type != SYSTOLE_RECORD_END) {
    const uint8_t *payload;
    if (end - at < header || little(out->data + at + 32, 8) > end - at - header) {
      return damaged(path, "an event reaches past its end");
    }
    event = systole_recording_next(out, &at, &payload);
    if ((event.type == SYSTOLE_RECORD_OPEN) != (events == 0)) {
      return damaged(path, "its events are out of order");
    }
    if (events == 0) {
      if (event.small != SYSTOLE_RECORD_VERSION) {
        return systole_fail(SYSTOLE_ERR_ARGUMENT,
                            "%s is a recording of form %u, this version reads form %d: "
                            "use the version of Systole that wrote it",
                            path, event.small, SYSTOLE_RECORD_VERSION);
      }
      status = read_opening(out, path, payload, event.payload);
      out->first = at;
    }
    if (event.type == 0 || event.type > SYSTOLE_RECORD_END) {
      return damaged(path, "it has an event of an unknown kind");
    }
    const int has_port =
        event.type >= SYSTOLE_RECORD_ALLOC && event.type <= SYSTOLE_RECORD_READ;
    if (has_port && event.small > (uint32_t)SYSTOLE_PORT_GMEM1) {
      return damaged(path, "it names a memory port that there is not");
    }
    events++;
  }
  if (status == SYSTOLE_OK && at != end) return damaged(path, "it goes on after its end");
  out->cut = event.small != 0;
  out->runs = event.a;
  return status;
}

systole_status systole_recording_open(systole_recording *out, const char *path) {
  systole_status status = SYSTOLE_OK;
  struct stat info;
  memset(out, 0, sizeof *out);
  const int descriptor = open(path, O_RDONLY | O_CLOEXEC);
  if (descriptor < 0 || fstat(descriptor, &info) != 0) {
    status = systole_fail(SYSTOLE_ERR_IO, "the recording %s cannot be read: %s", path,
                          strerror(errno));
    goto done;
  }
  if (!S_ISREG(info.st_mode)) {
    status = systole_fail(SYSTOLE_ERR_ARGUMENT,
                          "%s is no recording: it is no regular file", path);
    goto done;
  }
  out->bytes = (uint64_t)info.st_size;
  if (out->bytes > 0) {
    void *map = mmap(NULL, (size_t)out->bytes, PROT_READ, MAP_PRIVATE, descriptor, 0);
    if (map == MAP_FAILED) {
      status = systole_fail(SYSTOLE_ERR_IO, "the recording %s cannot be read: %s", path,
                            strerror(errno));
      goto done;
    }
    out->data = map;
  }
  status = check(out, path);
done:
  if (descriptor >= 0) close(descriptor);
  if (status != SYSTOLE_OK) systole_recording_close(out);
  return status;
}

void systole_recording_close(systole_recording *recording) {
  if (recording->data != NULL) {
    munmap((void *)(uintptr_t)recording->data, (size_t)recording->bytes);
  }
  memset(recording, 0, sizeof *recording);
}
