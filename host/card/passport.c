#include "card/passport.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "card/systole_isa.h"
#include "support/error.h"

enum {
  kVersion = 1,
  kMaxBytes = 65536, /* a passport is a page of text; more is something else */
  kBlock = 1 << 16
};

/* ---- keys of the JSON object ------------------------------------------------------ */

/* A place in the object, for sentences. */
typedef struct reader {
  const char *path;
  systole_status status; /* of the first key that was wrong */
} reader;

static const cJSON *member(reader *r, const cJSON *object, const char *key) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
  if (item == NULL && r->status == SYSTOLE_OK) {
    r->status = systole_fail(SYSTOLE_ERR_ARGUMENT,
                             "the passport %s has no key \"%s\"; bitstreams/README.md "
                             "describes them, and scripts/build_xclbin writes them",
                             r->path, key);
  }
  return item;
}

static void wrong(reader *r, const char *key, const char *meant) {
  if (r->status != SYSTOLE_OK) return;
  r->status = systole_fail(SYSTOLE_ERR_ARGUMENT, "in the passport %s, \"%s\" is not %s",
                           r->path, key, meant);
}

static void text(reader *r, char *out, size_t bytes, const cJSON *object,
                 const char *key) {
  const cJSON *item = member(r, object, key);
  if (item == NULL) return;
  if (!cJSON_IsString(item) || item->valuestring[0] == '\0' ||
      strlen(item->valuestring) >= bytes) {
    wrong(r, key, "a text of sensible length");
    return;
  }
  strcpy(out, item->valuestring);
}

static void digest(reader *r, char *out, const cJSON *object, const char *key) {
  text(r, out, SYSTOLE_SHA256_TEXT, object, key);
  if (r->status == SYSTOLE_OK && (strlen(out) != SYSTOLE_SHA256_TEXT - 1 ||
                                  strspn(out, "0123456789abcdef") != strlen(out))) {
    wrong(r, key, "a SHA-256 of 64 lower-case hexadecimal digits");
  }
}

static uint32_t whole(reader *r, const cJSON *object, const char *key, double low,
                      double high) {
  const cJSON *item = member(r, object, key);
  if (item == NULL) return 0;
  const double value = cJSON_IsNumber(item) ? item->valuedouble : -1;
  if (!(value >= low && value <= high) || value != floor(value)) {
    char meant[80];
    (void)snprintf(meant, sizeof meant, "a whole number from %.0f to %.0f", low, high);
    wrong(r, key, meant);
    return 0;
  }
  return (uint32_t)value;
}

static const cJSON *object_of(reader *r, const cJSON *object, const char *key) {
  const cJSON *item = member(r, object, key);
  if (item != NULL && !cJSON_IsObject(item)) wrong(r, key, "an object");
  return item;
}

static void fill(reader *r, systole_passport *out, const cJSON *root) {
  (void)whole(r, root, "passport", kVersion, kVersion);
  text(r, out->xclbin, sizeof out->xclbin, root, "xclbin");
  digest(r, out->sha256, root, "sha256");
  text(r, out->platform, sizeof out->platform, root, "platform");
  text(r, out->shell, sizeof out->shell, root, "shell");
  text(r, out->commit, sizeof out->commit, root, "commit");
  const cJSON *tools = object_of(r, root, "tools");
  text(r, out->vivado, sizeof out->vivado, tools, "vivado");
  text(r, out->vitis, sizeof out->vitis, tools, "vitis");
  const cJSON *g = object_of(r, root, "geometry");
  out->geometry.dim = (int)whole(r, g, "dim", 2, 256);
  out->geometry.axi_bytes = (int)whole(r, g, "axi_bytes", 4, 64);
  out->geometry.weight_ports = (int)whole(r, g, "weight_ports", 1, 4);
  out->geometry.ub_rows = whole(r, g, "ub_rows", 1, UINT32_MAX);
  out->geometry.acc_rows = whole(r, g, "acc_rows", 2, UINT32_MAX);
  out->geometry.weight_tiles = whole(r, g, "weight_tiles", 1, UINT32_MAX);
  out->geometry.features = whole(r, g, "features", 0, UINT32_MAX);
  out->geometry.flat_array = (int)whole(r, g, "flat_array", 0, 1);
  out->isa_version = (int)whole(r, root, "isa_version", 1, 255);
  out->rtl_version = (int)whole(r, root, "rtl_version", 0, 255);
  const cJSON *clock = member(r, root, "clock_mhz");
  if (clock != NULL) {
    out->clock_mhz = cJSON_IsNumber(clock) ? clock->valuedouble : 0;
    if (!(out->clock_mhz > 0 && out->clock_mhz <= 2000)) {
      wrong(r, "clock_mhz", "a clock above 0 and up to 2000 MHz");
    }
  }
  const cJSON *selftest = cJSON_GetObjectItemCaseSensitive(root, "selftest");
  if (selftest != NULL) digest(r, out->selftest_sha256, selftest, "sha256");
}

/* ---- files ------------------------------------------------------------------------ */

/* The whole file, ended by a zero. Freed by the caller. */
static systole_status slurp(char **out, const char *path) {
  systole_status status = SYSTOLE_OK;
  char *content = NULL;
  *out = NULL;
  FILE *file = fopen(path, "rb");
  if (file == NULL) {
    return systole_fail(SYSTOLE_ERR_IO, "the passport %s cannot be read: %s", path,
                        strerror(errno));
  }
  content = malloc(kMaxBytes + 1);
  if (content == NULL) {
    status = systole_fail(SYSTOLE_ERR_HOST_MEMORY, "no memory is left for a passport");
    goto done;
  }
  const size_t bytes = fread(content, 1, kMaxBytes + 1, file);
  if (ferror(file)) {
    status = systole_fail(SYSTOLE_ERR_IO, "the passport %s cannot be read: %s", path,
                          strerror(errno));
    goto done;
  }
  if (bytes > kMaxBytes) {
    status = systole_fail(SYSTOLE_ERR_ARGUMENT,
                          "%s is no passport: it is larger than %d bytes", path,
                          (int)kMaxBytes);
    goto done;
  }
  content[bytes] = '\0';
  *out = content;
  content = NULL;
done:
  free(content);
  fclose(file);
  return status;
}

systole_status systole_passport_read(systole_passport *out, const char *path) {
  memset(out, 0, sizeof *out);
  char *content = NULL;
  cJSON *root = NULL;
  systole_status status = slurp(&content, path);
  if (status != SYSTOLE_OK) return status;
  root = cJSON_Parse(content);
  if (!cJSON_IsObject(root)) {
    status = systole_fail(SYSTOLE_ERR_ARGUMENT, "%s is no passport: it is not JSON%s",
                          path, root == NULL ? " (cut short?)" : " of one object");
  } else {
    reader r = {path, SYSTOLE_OK};
    fill(&r, out, root);
    status = r.status;
  }
  if (status == SYSTOLE_OK && strlen(path) >= sizeof out->path) {
    status = systole_fail(SYSTOLE_ERR_ARGUMENT, "the path of a passport is too long");
  }
  if (status == SYSTOLE_OK) strcpy(out->path, path);
  if (status != SYSTOLE_OK) memset(out, 0, sizeof *out);
  cJSON_Delete(root);
  free(content);
  return status;
}

/* "a/b" of a path "a/b/c.xclbin" and "c" of it; 0 when a name does not fit. */
static int beside(char *path, size_t bytes, const char *xclbin, int named) {
  static const char ending[] = ".xclbin";
  const char *slash = strrchr(xclbin, '/');
  const size_t folder = slash == NULL ? 0 : (size_t)(slash - xclbin) + 1;
  size_t stem = strlen(xclbin);
  const size_t tail = sizeof ending - 1;
  if (stem - folder > tail && strcmp(xclbin + stem - tail, ending) == 0) stem -= tail;
  const int length =
      named ? snprintf(path, bytes, "%.*s.passport.json", (int)stem, xclbin)
            : snprintf(path, bytes, "%.*spassport.json", (int)folder, xclbin);
  return length > 0 && (size_t)length < bytes;
}

systole_status systole_passport_find(systole_passport *out, int *found,
                                     const char *xclbin) {
  char path[sizeof out->path];
  memset(out, 0, sizeof *out);
  *found = 0;
  for (int named = 1; named >= 0; named--) {
    if (!beside(path, sizeof path, xclbin, named) || access(path, F_OK) != 0) continue;
    systole_status status = systole_passport_read(out, path);
    /* passport.json of a folder with several files belongs to the one that it names. */
    if (status == SYSTOLE_OK && !named) {
      const char *slash = strrchr(xclbin, '/');
      if (strcmp(slash == NULL ? xclbin : slash + 1, out->xclbin) != 0) {
        memset(out, 0, sizeof *out);
        continue;
      }
    }
    if (status == SYSTOLE_OK) status = systole_passport_check_file(out, xclbin);
    *found = status == SYSTOLE_OK;
    if (status != SYSTOLE_OK) memset(out, 0, sizeof *out);
    return status;
  }
  return SYSTOLE_OK;
}

static systole_status digest_file(char out[SYSTOLE_SHA256_TEXT], const char *path) {
  systole_status status = SYSTOLE_OK;
  uint8_t raw[SYSTOLE_SHA256_BYTES];
  systole_sha256 hash;
  FILE *file = fopen(path, "rb");
  uint8_t *block = malloc(kBlock);
  if (file == NULL) {
    status = systole_fail(errno == ENOENT ? SYSTOLE_ERR_NOT_FOUND : SYSTOLE_ERR_IO,
                          "%s cannot be read: %s", path, strerror(errno));
    goto done;
  }
  if (block == NULL) {
    status = systole_fail(SYSTOLE_ERR_HOST_MEMORY, "no memory is left for a digest");
    goto done;
  }
  systole_sha256_begin(&hash);
  for (size_t got = fread(block, 1, kBlock, file); got > 0;
       got = fread(block, 1, kBlock, file)) {
    systole_sha256_add(&hash, block, got);
  }
  if (ferror(file)) {
    status = systole_fail(SYSTOLE_ERR_IO, "%s cannot be read: %s", path, strerror(errno));
    goto done;
  }
  systole_sha256_end(&hash, raw);
  systole_sha256_text(out, raw);
done:
  free(block);
  if (file != NULL) fclose(file);
  return status;
}

/* ---- does it fit? ----------------------------------------------------------------- */

systole_status systole_passport_check_file(const systole_passport *passport,
                                           const char *xclbin) {
  char found[SYSTOLE_SHA256_TEXT] = "";
  systole_status status = digest_file(found, xclbin);
  if (status != SYSTOLE_OK) return status;
  if (strcmp(found, passport->sha256) == 0) return SYSTOLE_OK;
  return systole_fail(
      SYSTOLE_ERR_ARGUMENT,
      "%s is not the file of its passport %s: SHA-256 %.12s... instead of %.12s...; copy "
      "both again, or build them again with: scripts/build_xclbin --platform %s",
      xclbin, passport->path, found, passport->sha256, passport->platform);
}

systole_status systole_passport_check_kernel(const systole_passport *passport,
                                             const systole_geometry *geometry,
                                             uint32_t version) {
  const systole_geometry *p = &passport->geometry;
  const struct {
    const char *name;
    uint32_t written, found;
  } rows[] = {
      {"instruction set", (uint32_t)passport->isa_version, version & 0xFFu},
      {"RTL version", (uint32_t)passport->rtl_version, version >> 8 & 0xFFu},
      {"array size", (uint32_t)p->dim, (uint32_t)geometry->dim},
      {"bytes of a memory port", (uint32_t)p->axi_bytes, (uint32_t)geometry->axi_bytes},
      {"weight ports", (uint32_t)p->weight_ports, (uint32_t)geometry->weight_ports},
      {"rows of the unified buffer", p->ub_rows, geometry->ub_rows},
      {"accumulator rows", p->acc_rows, geometry->acc_rows},
      {"weight tiles", p->weight_tiles, geometry->weight_tiles},
      {"features", p->features, geometry->features},
      {"flat array", (uint32_t)p->flat_array, (uint32_t)geometry->flat_array},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    if (rows[i].written == rows[i].found) continue;
    return systole_fail(
        SYSTOLE_ERR_ARGUMENT,
        "the card does not run what the passport %s describes: %s is %u on "
        "the card and %u in the passport; load the file that belongs to it",
        passport->path, rows[i].name, rows[i].found, rows[i].written);
  }
  return SYSTOLE_OK;
}

/* Without "_base" and "_shell", and without a date _20YYMM_N at the end. */
static void plain_shell(char *out, size_t bytes, const char *name) {
  static const char *const words[] = {"_base", "_shell"};
  (void)snprintf(out, bytes, "%s", name);
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
    const size_t length = strlen(words[i]);
    char *at = strstr(out, words[i]);
    if (at != NULL && (at[length] == '_' || at[length] == '\0')) {
      memmove(at, at + length, strlen(at + length) + 1);
    }
  }
  for (char *at = strstr(out, "_20"); at != NULL; at = strstr(at + 1, "_20")) {
    if (strspn(at + 1, "0123456789") == 6 && at[7] == '_' && at[8] != '\0' &&
        strspn(at + 8, "0123456789") == strlen(at + 8)) {
      *at = '\0';
      return;
    }
  }
}

int systole_passport_same_shell(const char *a, const char *b) {
  char plain_a[128], plain_b[128];
  plain_shell(plain_a, sizeof plain_a, a);
  plain_shell(plain_b, sizeof plain_b, b);
  return strcmp(plain_a, plain_b) == 0;
}

systole_status systole_passport_check_shell(const systole_passport *passport,
                                            const char *shell) {
  if (shell == NULL || shell[0] == '\0' ||
      systole_passport_same_shell(shell, passport->shell)) {
    return SYSTOLE_OK;
  }
  return systole_fail(
      SYSTOLE_ERR_ARGUMENT,
      "the card has the shell %s, and the bitstream was linked for %s (%s); build it for "
      "this shell, or program the card: sudo xbmgmt program --base --device BDF",
      shell, passport->shell, passport->path);
}
