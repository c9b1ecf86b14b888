/* fileno is POSIX. */
#define _POSIX_C_SOURCE 200809L
#include "card/xrt/xclbin.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "card/systole_kernel.h"
#include "support/error.h"

enum { kLargestBanks = 4096, kLargestUnits = 128, kLargestConnections = 65536 };

/* ---- numbers in the file -------------------------------------------------------------
 */

static uint16_t u16(const uint8_t *at) { return (uint16_t)(at[0] | at[1] << 8); }

static uint32_t u32(const uint8_t *at) {
  return (uint32_t)u16(at) | (uint32_t)u16(at + 2) << 16;
}

static uint64_t u64(const uint8_t *at) {
  return (uint64_t)u32(at) | (uint64_t)u32(at + 4) << 32;
}

/* Text of at most `bytes` bytes, made printable. `out` holds one more. */
static void copy_text(char *out, const uint8_t *at, size_t bytes) {
  size_t i = 0;
  for (; i < bytes && at[i] != 0; i++) {
    out[i] = (char)(at[i] >= ' ' && at[i] < 0x7F ? at[i] : '?');
  }
  out[i] = '\0';
}

/* ---- sections ------------------------------------------------------------------------
 */

typedef struct section {
  const uint8_t *at; /* NULL: absent */
  uint64_t bytes;
} section;

static section find_section(const systole_xclbin *x, systole_xclbin_kind kind) {
  const uint32_t count = u32(x->data + SYSTOLE_XCLBIN_SECTIONS_AT);
  for (uint32_t i = 0; i < count; i++) {
    const uint8_t *entry =
        x->data + SYSTOLE_XCLBIN_TABLE_AT + (uint64_t)i * SYSTOLE_XCLBIN_ENTRY_BYTES;
    if (u32(entry) == (uint32_t)kind) {
      return (section){x->data + u64(entry + 24), u64(entry + 32)};
    }
  }
  return (section){NULL, 0};
}

/* A section of `count` (int32, padded to `head` bytes) and that many records. Absent
 * sections count 0. */
static systole_status records(const systole_xclbin *x, const char *name,
                              systole_xclbin_kind kind, uint64_t head, uint64_t size,
                              uint64_t largest, section *out, uint64_t *count) {
  *count = 0;
  *out = find_section(x, kind);
  if (!out->at) return SYSTOLE_OK;
  if (out->bytes < head) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT, "%s: section %d has %llu bytes", name,
                        (int)kind, (unsigned long long)out->bytes);
  }
  const uint64_t found = kind == SYSTOLE_XCLBIN_CLOCKS ? u16(out->at) : u32(out->at);
  if (found > largest || head + found * size > out->bytes) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "%s: section %d says that it has %llu records of %llu bytes, and "
                        "is %llu bytes long",
                        name, (int)kind, (unsigned long long)found,
                        (unsigned long long)size, (unsigned long long)out->bytes);
  }
  *count = found;
  return SYSTOLE_OK;
}

static systole_status check_frame(const systole_xclbin *x, const char *name) {
  if (x->bytes < 8 || memcmp(x->data, SYSTOLE_XCLBIN_MAGIC, 8) != 0) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "%s is no .xclbin file: it does not begin with the word xclbin2",
                        name);
  }
  const uint64_t table = SYSTOLE_XCLBIN_TABLE_AT;
  const uint64_t length =
      x->bytes >= table ? u64(x->data + SYSTOLE_XCLBIN_LENGTH_AT) : table;
  if (x->bytes < table || length > x->bytes) {
    return systole_fail(
        SYSTOLE_ERR_ARGUMENT,
        "%s is truncated: it has %llu bytes of %llu; copy or build it again", name,
        (unsigned long long)x->bytes, (unsigned long long)length);
  }
  const uint64_t count = u32(x->data + SYSTOLE_XCLBIN_SECTIONS_AT);
  if (count > (x->bytes - table) / SYSTOLE_XCLBIN_ENTRY_BYTES) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT, "%s says that it has %llu sections", name,
                        (unsigned long long)count);
  }
  for (uint64_t i = 0; i < count; i++) {
    const uint8_t *entry = x->data + table + i * SYSTOLE_XCLBIN_ENTRY_BYTES;
    const uint64_t offset = u64(entry + 24), bytes = u64(entry + 32);
    if (offset > length || bytes > length - offset) {
      return systole_fail(
          SYSTOLE_ERR_ARGUMENT,
          "%s: section %u reaches from byte %llu over %llu bytes, and the "
          "file has %llu; copy or build it again",
          name, u32(entry), (unsigned long long)offset, (unsigned long long)bytes,
          (unsigned long long)length);
    }
  }
  return SYSTOLE_OK;
}

/* calloc that never returns NULL for nothing. */
static void *table_of(uint64_t count, size_t size) {
  return calloc((size_t)count + 1, size);
}

static systole_status out_of_memory(void) {
  return systole_fail(SYSTOLE_ERR_HOST_MEMORY, "this machine is out of memory");
}

static systole_status read_banks(systole_xclbin *x, const char *name) {
  section s;
  uint64_t count;
  systole_status status = records(x, name, SYSTOLE_XCLBIN_GROUPS, 8,
                                  SYSTOLE_XCLBIN_BANK_BYTES, kLargestBanks, &s, &count);
  if (status == SYSTOLE_OK && !s.at) {
    status = records(x, name, SYSTOLE_XCLBIN_BANKS, 8, SYSTOLE_XCLBIN_BANK_BYTES,
                     kLargestBanks, &s, &count);
  }
  if (status != SYSTOLE_OK) return status;
  x->banks = table_of(count, sizeof *x->banks);
  if (!x->banks) return out_of_memory();
  x->bank_count = (size_t)count;
  for (size_t i = 0; i < count; i++) {
    const uint8_t *at = s.at + 8 + i * SYSTOLE_XCLBIN_BANK_BYTES;
    systole_xclbin_bank *bank = &x->banks[i];
    const uint64_t kib = u64(at + 8);
    bank->type = at[0];
    bank->used = at[1] != 0 && bank->type != SYSTOLE_XCLBIN_MEM_STREAMING &&
                 bank->type != SYSTOLE_XCLBIN_MEM_STREAM_CONNECTION;
    bank->base = u64(at + 16);
    bank->bytes = kib > UINT64_MAX >> 10 ? UINT64_MAX : kib << 10;
    copy_text(bank->tag, at + 24, 16);
    if (bank->used && (bank->bytes == 0 || bank->bytes > UINT64_MAX - bank->base)) {
      return systole_fail(SYSTOLE_ERR_ARGUMENT, "%s: memory bank %s has no sensible size",
                          name, bank->tag);
    }
  }
  return SYSTOLE_OK;
}

/* Order of compute units in XRT: by interrupt if they have numbers, else by address. */
static int later(const systole_xclbin_unit *a, const systole_xclbin_unit *b,
                 int numbered) {
  const uint32_t ia = a->properties & 0xFE, ib = b->properties & 0xFE;
  return numbered ? ia > ib : a->base > b->base;
}

static systole_status read_units(systole_xclbin *x, const char *name, int **place) {
  section s;
  uint64_t count;
  systole_status status = records(x, name, SYSTOLE_XCLBIN_IPS, 8, SYSTOLE_XCLBIN_IP_BYTES,
                                  kLargestUnits, &s, &count);
  if (status != SYSTOLE_OK) return status;
  x->units = table_of(count, sizeof *x->units);
  int *order = table_of(count, sizeof *order); /* unit -> place in the section */
  *place = table_of(count, sizeof **place);    /* and back; -1: no kernel */
  if (!x->units || !order || !*place) {
    free(order);
    return out_of_memory();
  }
  int numbered = 0;
  for (size_t i = 0; i < count; i++) {
    const uint8_t *at = s.at + 8 + i * SYSTOLE_XCLBIN_IP_BYTES;
    (*place)[i] = -1;
    if (u32(at) != SYSTOLE_XCLBIN_IP_KERNEL) continue;
    systole_xclbin_unit unit = {.base = u64(at + 8), .properties = u32(at + 4)};
    char full[65];
    copy_text(full, at + 16, 64);
    const char *colon = strchr(full, ':');
    const size_t length = colon ? (size_t)(colon - full) : strlen(full);
    memcpy(unit.kernel, full, length);
    if (colon) memcpy(unit.name, colon + 1, strlen(colon + 1));
    numbered |= (unit.properties & 0xFE) != 0;
    order[x->unit_count] = (int)i;
    x->units[x->unit_count++] = unit;
  }
  for (size_t i = 1; i < x->unit_count; i++) {
    for (size_t j = i; j > 0 && later(&x->units[j - 1], &x->units[j], numbered); j--) {
      const systole_xclbin_unit unit = x->units[j];
      const int number = order[j];
      x->units[j] = x->units[j - 1], order[j] = order[j - 1];
      x->units[j - 1] = unit, order[j - 1] = number;
    }
  }
  for (size_t i = 0; i < x->unit_count; i++) (*place)[order[i]] = (int)i;
  free(order);
  return SYSTOLE_OK;
}

static systole_status read_connections(systole_xclbin *x, const char *name,
                                       const int *place) {
  section s, ips;
  uint64_t count, ip_count;
  systole_status status =
      records(x, name, SYSTOLE_XCLBIN_GROUP_CONNECTIONS, 4,
              SYSTOLE_XCLBIN_CONNECTION_BYTES, kLargestConnections, &s, &count);
  if (status == SYSTOLE_OK && !s.at) {
    status = records(x, name, SYSTOLE_XCLBIN_CONNECTIONS, 4,
                     SYSTOLE_XCLBIN_CONNECTION_BYTES, kLargestConnections, &s, &count);
  }
  if (status == SYSTOLE_OK) {
    status = records(x, name, SYSTOLE_XCLBIN_IPS, 8, SYSTOLE_XCLBIN_IP_BYTES,
                     kLargestUnits, &ips, &ip_count);
  }
  if (status != SYSTOLE_OK) return status;
  x->connections = table_of(count, sizeof *x->connections);
  if (!x->connections) return out_of_memory();
  for (size_t i = 0; i < count; i++) {
    const uint8_t *at = s.at + 4 + i * SYSTOLE_XCLBIN_CONNECTION_BYTES;
    const uint32_t argument = u32(at), ip = u32(at + 4), bank = u32(at + 8);
    if (ip >= ip_count || bank >= x->bank_count || argument > 1024) {
      return systole_fail(SYSTOLE_ERR_ARGUMENT,
                          "%s connects argument %u of unit %u to memory bank %u, and has "
                          "%llu units and %zu banks",
                          name, argument, ip, bank, (unsigned long long)ip_count,
                          x->bank_count);
    }
    if (place[ip] < 0 || !x->banks[bank].used) continue;
    x->connections[x->connection_count++] =
        (systole_xclbin_connection){(int)argument, place[ip], (int)bank};
  }
  return SYSTOLE_OK;
}

static systole_status read_clock(systole_xclbin *x, const char *name) {
  section s;
  uint64_t count;
  systole_status status = records(x, name, SYSTOLE_XCLBIN_CLOCKS, 2,
                                  SYSTOLE_XCLBIN_CLOCK_BYTES, 64, &s, &count);
  for (size_t i = 0; i < count && status == SYSTOLE_OK; i++) {
    const uint8_t *at = s.at + 2 + i * SYSTOLE_XCLBIN_CLOCK_BYTES;
    if (at[2] == SYSTOLE_XCLBIN_CLOCK_DATA) x->clock_mhz = u16(at);
  }
  return status;
}

/* The lines "dim 16", "array flat", "memory ideal", "clock_mhz 300" of a simulated card.
 */
static systole_status read_image(systole_xclbin *x, const char *name) {
  const section s = find_section(x, SYSTOLE_XCLBIN_BITSTREAM);
  char text[512] = "", array[16] = "";
  const size_t head = strlen(SYSTOLE_XCLBIN_IMAGE);
  systole_xclbin_image *image = &x->image;
  if (s.at && s.bytes < sizeof text) memcpy(text, s.at, (size_t)s.bytes);
  if (strncmp(text, SYSTOLE_XCLBIN_IMAGE, head) != 0 ||
      sscanf(text + head, "dim %d array %15s memory %31s clock_mhz %lf", &image->dim,
             array, image->memory, &image->clock_mhz) != 4 ||
      (strcmp(array, "flat") != 0 && strcmp(array, "readable") != 0) || image->dim < 2 ||
      image->dim > 256 || (image->dim & (image->dim - 1)) != 0 ||
      !(image->clock_mhz > 0.0 && image->clock_mhz <= 2000.0)) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "%s is for a simulated card, and this version cannot read what "
                        "should play it; build it again",
                        name);
  }
  image->readable = strcmp(array, "readable") == 0;
  return SYSTOLE_OK;
}

static systole_status read_all(systole_xclbin *x, const char *name) {
  int *place = NULL;
  systole_status status = check_frame(x, name);
  if (status == SYSTOLE_OK) status = read_banks(x, name);
  if (status == SYSTOLE_OK) status = read_units(x, name, &place);
  if (status == SYSTOLE_OK) status = read_connections(x, name, place);
  if (status == SYSTOLE_OK) status = read_clock(x, name);
  free(place);
  if (status != SYSTOLE_OK) return status;
  memcpy(x->uuid, x->data + SYSTOLE_XCLBIN_UUID_AT, sizeof x->uuid);
  copy_text(x->platform, x->data + SYSTOLE_XCLBIN_PLATFORM_AT, 64);
  const section xml = find_section(x, SYSTOLE_XCLBIN_METADATA);
  x->metadata = (const char *)xml.at;
  x->metadata_bytes = (size_t)xml.bytes;
  x->simulated = strncmp(x->platform, SYSTOLE_XCLBIN_SIMULATED,
                         strlen(SYSTOLE_XCLBIN_SIMULATED)) == 0;
  return x->simulated ? read_image(x, name) : SYSTOLE_OK;
}

/* Takes `data` over. */
static systole_status adopt(systole_xclbin **out, uint8_t *data, uint64_t bytes,
                            const char *name) {
  systole_xclbin *x = calloc(1, sizeof *x);
  if (!x) {
    free(data);
    return out_of_memory();
  }
  x->data = data;
  x->bytes = bytes;
  const systole_status status = read_all(x, name);
  if (status == SYSTOLE_OK) {
    *out = x;
  } else {
    systole_xclbin_free(x);
  }
  return status;
}

systole_status systole_xclbin_parse(systole_xclbin **out, const void *data,
                                    uint64_t bytes, const char *name) {
  *out = NULL;
  uint8_t *copy = malloc((size_t)bytes + 1);
  if (!copy) return out_of_memory();
  memcpy(copy, data, (size_t)bytes);
  return adopt(out, copy, bytes, name);
}

systole_status systole_xclbin_read(systole_xclbin **out, const char *path) {
  *out = NULL;
  struct stat info;
  uint8_t *data = NULL;
  systole_status status = SYSTOLE_OK;
  FILE *file = fopen(path, "rb");
  if (!file) {
    return systole_fail(
        errno == ENOENT || errno == ENOTDIR ? SYSTOLE_ERR_NOT_FOUND : SYSTOLE_ERR_IO,
        "cannot read %s: %s", path, strerror(errno));
  }
  if (fstat(fileno(file), &info) != 0 || !S_ISREG(info.st_mode)) {
    status = systole_fail(SYSTOLE_ERR_ARGUMENT, "%s is not a regular file", path);
  } else if (!(data = malloc((size_t)info.st_size + 1))) {
    status = out_of_memory();
  } else if (fread(data, 1, (size_t)info.st_size, file) != (size_t)info.st_size) {
    status = systole_fail(SYSTOLE_ERR_IO, "cannot read all of %s: %s", path,
                          ferror(file) ? strerror(errno) : "it became shorter");
    free(data);
  } else {
    status = adopt(out, data, (uint64_t)info.st_size, path);
  }
  (void)fclose(file);
  return status;
}

void systole_xclbin_free(systole_xclbin *xclbin) {
  if (!xclbin) return;
  free(xclbin->connections);
  free(xclbin->units);
  free(xclbin->banks);
  free(xclbin->data);
  free(xclbin);
}

/* ---- questions -----------------------------------------------------------------------
 */

int systole_xclbin_find_unit(const systole_xclbin *xclbin, const char *name) {
  for (size_t i = 0; i < xclbin->unit_count; i++) {
    if (strcmp(xclbin->units[i].name, name) == 0) return (int)i;
  }
  return -1;
}

int systole_xclbin_bank_of(const systole_xclbin *xclbin, int unit, int argument) {
  int best = -1;
  for (size_t i = 0; i < xclbin->connection_count; i++) {
    const systole_xclbin_connection *c = &xclbin->connections[i];
    if (c->unit == unit && c->argument == argument && c->bank > best) best = c->bank;
  }
  return best;
}

/* ---- the kernel in the metadata ------------------------------------------------------
 */

/* Text from `from` to `end` that holds no other tag than those asked for. */
typedef struct span {
  const char *at, *end;
} span;

static const char *find(span s, const char *word) {
  const size_t length = strlen(word);
  for (const char *at = s.at; (size_t)(s.end - at) >= length && at < s.end; at++) {
    if (memcmp(at, word, length) == 0) return at;
  }
  return NULL;
}

/* The next `<name ...>` in *rest as the text of its attributes; *rest moves behind it. */
static int next_tag(span *rest, const char *name, span *tag) {
  char open[32];
  (void)snprintf(open, sizeof open, "<%s ", name);
  const char *at = find(*rest, open);
  if (!at) return 0;
  const char *close = memchr(at, '>', (size_t)(rest->end - at));
  if (!close) return 0;
  *tag = (span){at + strlen(open) - 1, close};
  rest->at = close;
  return 1;
}

/* Attribute `name` of a tag; 0 when it is absent or too long. */
static int attribute(span tag, const char *name, char *out, size_t room) {
  char word[32];
  (void)snprintf(word, sizeof word, " %s=\"", name);
  const char *at = find(tag, word);
  if (!at) return 0;
  at += strlen(word);
  const char *quote = memchr(at, '"', (size_t)(tag.end - at));
  if (!quote || (size_t)(quote - at) >= room) return 0;
  memcpy(out, at, (size_t)(quote - at));
  out[quote - at] = '\0';
  return 1;
}

static int number(span tag, const char *name, unsigned long *out) {
  char text[32], *end = NULL;
  if (!attribute(tag, name, text, sizeof text) || text[0] == '\0') return 0;
  *out = strtoul(text, &end, 0);
  return *end == '\0';
}

typedef struct wanted {
  const char *name;
  unsigned long id, offset, bytes, pointer;
} wanted;

#define SYSTOLE_WANTED(identifier, id, offset, bytes, pointer, port) \
  {#identifier, id, offset, bytes, pointer},
static const wanted kArguments[] = {SYSTOLE_KERNEL_ARGUMENTS(SYSTOLE_WANTED)};
#undef SYSTOLE_WANTED

static systole_status check_argument(span tag, const char *file, unsigned seen) {
  unsigned long id = 0, offset = 0, bytes = 0, qualifier = 0;
  char name[65] = "?";
  (void)attribute(tag, "name", name, sizeof name);
  if (!number(tag, "id", &id) || !number(tag, "offset", &offset) ||
      !number(tag, "size", &bytes) || !number(tag, "addressQualifier", &qualifier)) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "%s: argument %s of the kernel lacks number, register or size",
                        file, name);
  }
  if (seen >= SYSTOLE_KERNEL_ARGUMENT_COUNT || id >= SYSTOLE_KERNEL_ARGUMENT_COUNT) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "%s: the kernel has an argument %lu (%s), and that of this "
                        "version has %d; use a file and a library that belong together",
                        file, id, name, SYSTOLE_KERNEL_ARGUMENT_COUNT);
  }
  const wanted *w = &kArguments[id];
  if (strcmp(name, w->name) != 0 || offset != w->offset || bytes != w->bytes ||
      (qualifier == 1) != (w->pointer == 1)) {
    return systole_fail(
        SYSTOLE_ERR_ARGUMENT,
        "%s: argument %lu is %s, %lu bytes at register 0x%02lx; this version of Systole "
        "has %s, %lu bytes at 0x%02lx there; use a file and a library that belong "
        "together",
        file, id, name, bytes, offset, w->name, w->bytes, w->offset);
  }
  return SYSTOLE_OK;
}

systole_status systole_xclbin_check_kernel(const systole_xclbin *xclbin,
                                           const char *name) {
  char kernel[65], others[256] = "";
  size_t units = 0;
  for (size_t i = 0; i < xclbin->unit_count; i++) {
    const char *found = xclbin->units[i].kernel;
    if (strcmp(found, SYSTOLE_KERNEL_NAME) == 0) {
      units++;
    } else if (!strstr(others, found)) {
      const size_t used = strlen(others);
      (void)snprintf(others + used, sizeof others - used, "%s%s", used ? ", " : "",
                     found);
    }
  }
  if (units == 0) {
    return systole_fail(
        SYSTOLE_ERR_ARGUMENT,
        "%s holds another kernel: %s, not %s; give a file that scripts/build_xclbin made",
        name, others[0] ? others : "none at all", SYSTOLE_KERNEL_NAME);
  }
  if (!xclbin->metadata) {
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "%s has no metadata about its kernels, so XRT cannot call them",
                        name);
  }
  span rest = {xclbin->metadata, xclbin->metadata + xclbin->metadata_bytes}, tag;
  while (next_tag(&rest, "kernel", &tag)) {
    if (!attribute(tag, "name", kernel, sizeof kernel)) continue;
    if (strcmp(kernel, SYSTOLE_KERNEL_NAME) != 0) continue;
    const char *end = find(rest, "</kernel>");
    span inside = {rest.at, end ? end : rest.end};
    unsigned seen = 0;
    while (next_tag(&inside, "arg", &tag)) {
      systole_status status = check_argument(tag, name, seen++);
      if (status != SYSTOLE_OK) return status;
    }
    if (seen == SYSTOLE_KERNEL_ARGUMENT_COUNT) return SYSTOLE_OK;
    return systole_fail(SYSTOLE_ERR_ARGUMENT,
                        "%s: the kernel has %u arguments, and that of this version has "
                        "%d; use a file and a library that belong together",
                        name, seen, SYSTOLE_KERNEL_ARGUMENT_COUNT);
  }
  return systole_fail(SYSTOLE_ERR_ARGUMENT,
                      "%s: its metadata tells nothing of the kernel %s", name,
                      SYSTOLE_KERNEL_NAME);
}
