/* O_TMPFILE, linkat to /proc and mkostemps are Linux's and glibc's. */
#define _GNU_SOURCE
#include "card/record/record.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "card/record/format.h"
#include "card/systole_isa.h"
#include "support/error.h"
#include "support/sha256.h"

enum { kBufferBytes = 1 << 20, kPathBytes = PATH_MAX };
#define DEFAULT_LIMIT (UINT64_C(1) << 30)

struct systole_card {
  systole_card_ops ops; /* what the host calls: the inner card's facts, our functions */
  const systole_card_ops *inner_ops;
  systole_card *inner;
  FILE *file;
  char path[kPathBytes];      /* the name it will get, links followed */
  char temporary[kPathBytes]; /* "" when the file has no name yet */
  systole_sha256 hash;
  uint64_t bytes, limit, runs;
  int running; /* between START and DONE */
  int cut;     /* the limit was reached */
  int error;   /* errno of the first write that failed */
};

/* ---- the file --------------------------------------------------------------------- */

static void put(systole_card *card, const void *data, size_t bytes) {
  if (card->error != 0 || bytes == 0) return;
  errno = 0;
  if (fwrite(data, 1, bytes, card->file) != bytes) {
    card->error = errno != 0 ? errno : EIO;
    return;
  }
  systole_sha256_add(&card->hash, data, bytes);
  card->bytes += bytes;
}

static void little(uint8_t *out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; i++) out[i] = (uint8_t)(value >> (8 * i));
}

static void put_event(systole_card *card, const systole_record_event *event,
                      const void *payload) {
  uint8_t header[SYSTOLE_RECORD_HEADER_BYTES];
  little(header, event->type, 4);
  little(header + 4, event->small, 4);
  little(header + 8, event->a, 8);
  little(header + 16, event->b, 8);
  little(header + 24, event->c, 8);
  little(header + 32, event->payload, 8);
  put(card, header, sizeof header);
  put(card, payload, (size_t)event->payload);
}

/* One event, unless the recording has ended. Room for END and the digest always stays. */
static void note(systole_card *card, systole_record_event event, const void *payload) {
  const uint64_t tail = SYSTOLE_RECORD_HEADER_BYTES + SYSTOLE_SHA256_BYTES;
  if (card->cut || card->error != 0) return;
  if (event.payload > card->limit ||
      card->bytes + SYSTOLE_RECORD_HEADER_BYTES + event.payload + tail > card->limit) {
    card->cut = 1;
    return;
  }
  put_event(card, &event, payload);
}

static systole_status cannot_write(const char *path, int error) {
  return systole_fail(
      error == ENOSPC || error == EDQUOT ? SYSTOLE_ERR_HOST_MEMORY : SYSTOLE_ERR_IO,
      "the recording %s cannot be written: %s", path, strerror(error));
}

/* Follows links and refuses what is no file, so that the rename replaces only a file. */
static systole_status choose_path(systole_card *card, const char *path) {
  struct stat status;
  char *real = NULL;
  if (stat(path, &status) == 0) {
    if (!S_ISREG(status.st_mode)) {
      return systole_fail(
          SYSTOLE_ERR_IO,
          "the recording %s cannot be written: it is %s; give the name of "
          "a file",
          path, S_ISDIR(status.st_mode) ? "a folder" : "no regular file");
    }
    if (access(path, W_OK) != 0) return cannot_write(path, errno);
    real = realpath(path, NULL);
    if (real == NULL) return cannot_write(path, errno);
  }
  const int length =
      snprintf(card->path, sizeof card->path, "%s", real != NULL ? real : path);
  free(real);
  /* Room for the temporary name, too. */
  return length > 0 && (size_t)length + 16 < sizeof card->path
             ? SYSTOLE_OK
             : cannot_write(path, ENAMETOOLONG);
}

static int open_named(systole_card *card) {
  (void)snprintf(card->temporary, sizeof card->temporary, "%.*s.XXXXXX.tmp",
                 (int)(sizeof card->temporary - 16), card->path);
  const int descriptor = mkostemps(card->temporary, 4, O_CLOEXEC);
  if (descriptor < 0) {
    card->temporary[0] = '\0';
    return -1;
  }
  /* mkostemps makes files private; a recording has the rights of any other new file. */
  const mode_t mask = umask(0);
  umask(mask);
  if (fchmod(descriptor, 0666 & ~mask) != 0) {
    const int error = errno;
    close(descriptor);
    unlink(card->temporary);
    card->temporary[0] = '\0';
    errno = error;
    return -1;
  }
  return descriptor;
}

static systole_status open_file(systole_card *card, const char *path) {
  char folder[kPathBytes];
  systole_status status = choose_path(card, path);
  if (status != SYSTOLE_OK) return status;
  const char *slash = strrchr(card->path, '/');
  (void)snprintf(folder, sizeof folder, "%.*s",
                 slash == NULL ? 1 : (int)(slash - card->path) + 1,
                 slash == NULL ? "." : card->path);
  int descriptor = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
  if (descriptor < 0) descriptor = open_named(card); /* not every file system can */
  if (descriptor < 0) return cannot_write(path, errno);
  card->file = fdopen(descriptor, "wb");
  if (card->file == NULL) {
    const int error = errno;
    close(descriptor);
    return cannot_write(path, error);
  }
  (void)setvbuf(card->file, NULL, _IOFBF, kBufferBytes);
  return SYSTOLE_OK;
}

/* Gives the nameless file a name beside its final one. */
static int name_file(systole_card *card) {
  char descriptor[64];
  struct stat status;
  (void)snprintf(descriptor, sizeof descriptor, "/proc/self/fd/%d", fileno(card->file));
  for (int attempt = 0; attempt < 100; attempt++) {
    (void)snprintf(card->temporary, sizeof card->temporary, "%.*s.%06x.tmp",
                   (int)(sizeof card->temporary - 16), card->path,
                   ((unsigned)getpid() * 100u + (unsigned)attempt) & 0xFFFFFFu);
    if (lstat(card->temporary, &status) == 0) continue;
    if (linkat(AT_FDCWD, descriptor, AT_FDCWD, card->temporary, AT_SYMLINK_FOLLOW) == 0) {
      return 1;
    }
    if (errno != EEXIST) break;
  }
  card->temporary[0] = '\0';
  return 0;
}

static void drop_file(systole_card *card) {
  if (card->file != NULL) fclose(card->file);
  card->file = NULL;
  if (card->temporary[0] != '\0') unlink(card->temporary);
  card->temporary[0] = '\0';
}

systole_status systole_record_save(systole_card *card, uint64_t *runs, int *cut) {
  uint8_t digest[SYSTOLE_SHA256_BYTES];
  *runs = card->runs;
  *cut = card->cut;
  if (card->file == NULL) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT, "the recording %s is saved already",
                        card->path);
  }
  put_event(
      card,
      &(systole_record_event){
          .type = SYSTOLE_RECORD_END, .small = (uint32_t)card->cut, .a = card->runs},
      NULL);
  systole_sha256_end(&card->hash, digest);
  put(card, digest, sizeof digest);
  errno = 0;
  if (card->error == 0 && fflush(card->file) != 0) {
    card->error = errno != 0 ? errno : EIO;
  }
  if (card->error == 0 && card->temporary[0] == '\0' && !name_file(card)) {
    card->error = errno;
  }
  /* The data first, so that a crash of the machine leaves no named file without them. */
  if (card->error == 0 && fsync(fileno(card->file)) != 0) card->error = errno;
  if (card->error == 0 && rename(card->temporary, card->path) != 0) card->error = errno;
  if (card->error == 0) card->temporary[0] = '\0';
  const int error = card->error;
  drop_file(card);
  card->cut = 1; /* nothing is written any more */
  return error == 0 ? SYSTOLE_OK : cannot_write(card->path, error);
}

/* ---- what the host calls ---------------------------------------------------------- */

static systole_status record_read_register(systole_card *card, uint32_t offset,
                                           uint32_t *value) {
  systole_status status = card->inner_ops->read_register(card->inner, offset, value);
  if (status == SYSTOLE_OK && !card->running && offset >= SYSTOLE_REG_ERROR_CODE) {
    note(card,
         (systole_record_event){
             .type = SYSTOLE_RECORD_REGISTER, .small = offset, .a = *value},
         NULL);
  }
  return status;
}

static systole_status record_alloc(systole_card *card, systole_port port, uint64_t bytes,
                                   uint64_t *address) {
  systole_status status = card->inner_ops->alloc(card->inner, port, bytes, address);
  if (status == SYSTOLE_OK) {
    note(card,
         (systole_record_event){.type = SYSTOLE_RECORD_ALLOC,
                                .small = (uint32_t)port,
                                .a = *address,
                                .b = bytes},
         NULL);
  }
  return status;
}

static void record_free(systole_card *card, systole_port port, uint64_t address) {
  if (address != 0) {
    note(card,
         (systole_record_event){
             .type = SYSTOLE_RECORD_FREE, .small = (uint32_t)port, .a = address},
         NULL);
  }
  card->inner_ops->free(card->inner, port, address);
}

static void note_bytes(systole_card *card, uint32_t type, systole_port port,
                       uint64_t address, const void *data, uint64_t bytes) {
  note(card,
       (systole_record_event){
           .type = type, .small = (uint32_t)port, .a = address, .payload = bytes},
       data);
}

static systole_status record_write(systole_card *card, systole_port port,
                                   uint64_t address, const void *data, uint64_t bytes) {
  systole_status status = card->inner_ops->write(card->inner, port, address, data, bytes);
  if (status == SYSTOLE_OK) {
    note_bytes(card, SYSTOLE_RECORD_WRITE, port, address, data, bytes);
  }
  return status;
}

static systole_status record_read(systole_card *card, systole_port port, uint64_t address,
                                  void *data, uint64_t bytes) {
  systole_status status = card->inner_ops->read(card->inner, port, address, data, bytes);
  if (status == SYSTOLE_OK) {
    note_bytes(card, SYSTOLE_RECORD_READ, port, address, data, bytes);
  }
  return status;
}

static systole_status record_start(systole_card *card, const systole_launch *launch) {
  systole_status status = card->inner_ops->start(card->inner, launch);
  if (status != SYSTOLE_OK) return status;
  note(card,
       (systole_record_event){.type = SYSTOLE_RECORD_START,
                              .small = launch->instructions,
                              .a = launch->program,
                              .b = launch->weights,
                              .c = launch->activations},
       NULL);
  card->running = 1;
  return SYSTOLE_OK;
}

static systole_status record_wait(systole_card *card, uint32_t slice_ms, int *done) {
  systole_status status = card->inner_ops->wait(card->inner, slice_ms, done);
  if (card->running && (status != SYSTOLE_OK || *done)) {
    char story[1024] = "";
    if (status != SYSTOLE_OK) {
      (void)snprintf(story, sizeof story, "%s", systole_last_error());
    }
    card->running = 0;
    note(card,
         (systole_record_event){.type = SYSTOLE_RECORD_DONE,
                                .small = (uint32_t)-status,
                                .payload = strlen(story)},
         story);
    if (!card->cut && card->error == 0) card->runs++;
  }
  return status;
}

static systole_status record_reset(systole_card *card) {
  systole_status status = card->inner_ops->reset(card->inner);
  card->running = 0;
  note(card,
       (systole_record_event){.type = SYSTOLE_RECORD_RESET, .small = (uint32_t)-status},
       NULL);
  return status;
}

static double record_clock_mhz(const systole_card *card, systole_kind *kind) {
  return card->inner_ops->clock_mhz(card->inner, kind);
}

static const char *record_technology(const systole_card *card) {
  return card->inner_ops->technology(card->inner);
}

static const char *record_memory_name(const systole_card *card) {
  return card->inner_ops->memory_name(card->inner);
}

static double record_run_cpu_seconds(const systole_card *card) {
  return card->inner_ops->run_cpu_seconds(card->inner);
}

static uint64_t record_cycles(const systole_card *card) {
  return card->inner_ops->cycles(card->inner);
}

static void record_close(systole_card *card) {
  if (card == NULL) return;
  drop_file(card);
  card->inner_ops->close(card->inner);
  free(card);
}

/* ---- opening ---------------------------------------------------------------------- */

static systole_status note_opening(systole_card *card, const char *name,
                                   const systole_device_options *options) {
  static const uint32_t offsets[] = {SYSTOLE_REG_IDENTITY, SYSTOLE_REG_VERSION,
                                     SYSTOLE_REG_GEOMETRY, SYSTOLE_REG_UB_ROWS,
                                     SYSTOLE_REG_ACC_ROWS, SYSTOLE_REG_WEIGHT_TILES,
                                     SYSTOLE_REG_FEATURES};
  enum { kOffsets = sizeof offsets / sizeof offsets[0] };
  systole_status status = SYSTOLE_OK;
  char *text = NULL, seed[24];
  double values[kOffsets];
  cJSON *object = NULL, *registers = NULL;
  for (int i = 0; i < kOffsets && status == SYSTOLE_OK; i++) {
    uint32_t value = 0;
    status = card->inner_ops->read_register(card->inner, offsets[i], &value);
    values[i] = value;
  }
  if (status != SYSTOLE_OK) return status;
  const char *memory = card->inner_ops->memory_name(card->inner);
  object = cJSON_CreateObject();
  registers = cJSON_CreateDoubleArray(values, kOffsets);
  /* A seed has 64 bits, and a number of JSON only 53. */
  (void)snprintf(seed, sizeof seed, "%llu", (unsigned long long)options->stall_seed);
  int good = registers != NULL && cJSON_AddItemToObject(object, "registers", registers);
  if (!good) cJSON_Delete(registers);
  good = good && cJSON_AddStringToObject(object, "device", name) != NULL &&
         cJSON_AddStringToObject(object, "library", SYSTOLE_VERSION) != NULL &&
         cJSON_AddBoolToObject(object, "simulated", card->ops.simulated) != NULL &&
         (memory == NULL || cJSON_AddStringToObject(object, "memory", memory) != NULL) &&
         cJSON_AddStringToObject(object, "stall_seed", seed) != NULL &&
         cJSON_AddNumberToObject(object, "memory_bytes", (double)options->memory_bytes) !=
             NULL;
  text = good ? cJSON_PrintUnformatted(object) : NULL;
  if (text == NULL) {
    status = systole_fail(SYSTOLE_ERR_HOST_MEMORY, "no memory is left for a recording");
  } else {
    put(card, SYSTOLE_RECORD_MAGIC, SYSTOLE_RECORD_MAGIC_BYTES);
    note(card,
         (systole_record_event){.type = SYSTOLE_RECORD_OPEN,
                                .small = SYSTOLE_RECORD_VERSION,
                                .payload = strlen(text)},
         text);
  }
  cJSON_free(text);
  cJSON_Delete(object);
  return status;
}

systole_status systole_record_open(const systole_card_ops **ops, systole_card **card,
                                   const systole_card_ops *inner_ops, systole_card *inner,
                                   const char *name,
                                   const systole_device_options *options) {
  *ops = NULL;
  *card = NULL;
  systole_card *recorder = calloc(1, sizeof *recorder);
  if (recorder == NULL) {
    return systole_fail(SYSTOLE_ERR_HOST_MEMORY, "no memory is left for a recording");
  }
  recorder->inner_ops = inner_ops;
  recorder->inner = inner;
  recorder->limit = options->record_bytes > 0 ? options->record_bytes : DEFAULT_LIMIT;
  recorder->ops = (systole_card_ops){
      .version = SYSTOLE_CARD_VERSION,
      .scheme = inner_ops->scheme,
      .simulated = systole_card_simulates(inner_ops, inner),
      .list = inner_ops->list,
      .open = NULL, /* only systole_record_open makes one */
      .close = record_close,
      .read_register = record_read_register,
      .alloc = record_alloc,
      .free = record_free,
      .write = record_write,
      .read = record_read,
      .start = record_start,
      .wait = record_wait,
      .reset = inner_ops->reset != NULL ? record_reset : NULL,
      .clock_mhz = record_clock_mhz,
      .memory_name = record_memory_name,
      .run_cpu_seconds = record_run_cpu_seconds,
      .cycles = inner_ops->cycles != NULL ? record_cycles : NULL,
      .technology = inner_ops->technology != NULL ? record_technology : NULL,
  };
  systole_sha256_begin(&recorder->hash);
  systole_status status = open_file(recorder, options->record_path);
  if (status == SYSTOLE_OK) status = note_opening(recorder, name, options);
  if (status != SYSTOLE_OK) {
    drop_file(recorder);
    free(recorder);
    return status;
  }
  *ops = &recorder->ops;
  *card = recorder;
  return SYSTOLE_OK;
}

int systole_record_is(const systole_card_ops *ops) {
  return ops != NULL && ops->close == record_close;
}
