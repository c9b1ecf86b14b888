/* What systole doctor finds out about XRT and Alveo cards, by looking at files: XRT's own
 * library ends the process when something is not in order, so it is not asked. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "findings.h"
#include "systole/systole.h"

enum { Cards = 16, PathBytes = 768 };

typedef struct card {
  char bdf[32];
  int function; /* 0 manages, 1 is the user's */
  char driver[64], shell[96], node[64];
} card;

static int join(char *out, const char *a, const char *b) {
  const int length = snprintf(out, PathBytes, "%s/%s", a, b);
  return length > 0 && length < PathBytes;
}

static int first_line(char *out, size_t bytes, const char *path) {
  FILE *file = fopen(path, "r");
  if (file == NULL) return 0;
  const int good = fgets(out, (int)bytes, file) != NULL;
  fclose(file);
  if (good) out[strcspn(out, "\r\n")] = '\0';
  return good;
}

/* The first entry of `folder` that begins with `start`, by name. */
static int entry_of(char *out, size_t bytes, const char *folder, const char *start) {
  DIR *list = opendir(folder);
  int found = 0;
  if (list == NULL) return 0;
  for (struct dirent *e = readdir(list); e != NULL; e = readdir(list)) {
    if (e->d_name[0] == '.' || strncmp(e->d_name, start, strlen(start)) != 0) continue;
    if (!found || strcmp(e->d_name, out) < 0) snprintf(out, bytes, "%s", e->d_name);
    found = 1;
  }
  closedir(list);
  return found;
}

/* ---- library and environment ------------------------------------------------------ */

static void look_at_library(systole_findings *all, const char *root) {
  static const char *const folders[] = {"/opt/xilinx/xrt/lib",
                                        "/usr/lib/x86_64-linux-gnu",
                                        "/usr/lib/aarch64-linux-gnu",
                                        "/usr/lib64",
                                        "/usr/lib",
                                        "/usr/local/lib"};
  const char *own = getenv("XILINX_XRT");
  char path[PathBytes], place[PathBytes] = "", real[PATH_MAX];
  for (size_t i = 0; i < sizeof folders / sizeof folders[0] && place[0] == '\0'; i++) {
    snprintf(path, sizeof path, "%s%s/libxrt_coreutil.so.2", root, folders[i]);
    if (access(path, R_OK) == 0) snprintf(place, sizeof place, "%s", path);
  }
  if (place[0] == '\0' && own != NULL && own[0] != '\0') {
    snprintf(path, sizeof path, "%s/lib/libxrt_coreutil.so.2", own);
    if (access(path, R_OK) == 0) snprintf(place, sizeof place, "%s", path);
  }
  if (place[0] == '\0') {
    systole_find(
        all, "XRT", SYSTOLE_FINDING_NOTE,
        "apt-get install libxrt-dev (Debian 12), or AMD's package of XRT for the "
        "card's shell (docs/alveo.md)",
        "libxrt_coreutil.so.2 is not installed: there are no xrt devices");
    return;
  }
  /* libxrt_coreutil.so.2 is a link to the file with the whole version in its name. */
  const char *version = realpath(place, real) != NULL ? strstr(real, ".so.") : NULL;
  systole_find(all, "XRT", SYSTOLE_FINDING_GOOD, "", "version %s, %.200s",
               version != NULL ? version + 4 : "2", place);
}

static void look_at_environment(systole_findings *all, const char *root) {
  static const char debian[] = "/usr/lib/x86_64-linux-gnu/libxrt_core.so.2";
  const char *place = getenv("XILINX_XRT"), *mode = getenv("XCL_EMULATION_MODE");
  char path[PathBytes], amd[PathBytes], remedy[320];
  snprintf(amd, sizeof amd, "%s/opt/xilinx/xrt/setup.sh", root);
  snprintf(path, sizeof path, "%s%s", root, debian);
  const char *const simulated =
      "export XILINX_XRT=build/release/xrt-sim (the simulated card)";
  if (access(amd, R_OK) == 0) {
    snprintf(remedy, sizeof remedy, "source /opt/xilinx/xrt/setup.sh; or %s", simulated);
  } else if (access(path, R_OK) == 0) {
    /* Debian puts the driver's library where XRT does not look for it. */
    snprintf(
        remedy, sizeof remedy,
        "mkdir -p ~/xrt/lib && ln -sf %s ~/xrt/lib/ && export XILINX_XRT=~/xrt; or %s",
        debian, simulated);
  } else {
    snprintf(remedy, sizeof remedy, "%s", simulated);
  }
  if (place == NULL || place[0] == '\0') {
    systole_find(all, "XILINX_XRT", SYSTOLE_FINDING_NOTE, remedy,
                 "not set: XRT does not find its driver");
  } else if (snprintf(path, sizeof path, "%s/lib/libxrt_core.so.2", place),
             access(path, R_OK) != 0) {
    systole_find(all, "XILINX_XRT", SYSTOLE_FINDING_NOTE, remedy,
                 "%.120s has no lib/libxrt_core.so.2 that can be read (%s)", place,
                 strerror(errno));
  } else {
    systole_find(all, "XILINX_XRT", SYSTOLE_FINDING_GOOD, "", "%.200s", place);
  }
  if (mode != NULL && mode[0] != '\0') {
    systole_find(all, "XCL_EMULATION_MODE", SYSTOLE_FINDING_NOTE,
                 "unset XCL_EMULATION_MODE",
                 "is '%.40s': XRT takes an emulator instead of a card", mode);
  }
}

/* ---- cards ------------------------------------------------------------------------ */

static int read_card(card *out, const char *pci, const char *bdf) {
  char folder[PathBytes], path[PathBytes], name[256], text[256];
  memset(out, 0, sizeof *out);
  if (!join(folder, pci, bdf) || !join(path, folder, "vendor") ||
      !first_line(text, sizeof text, path) || strcmp(text, "0x10ee") != 0) {
    return 0;
  }
  /* 0x12xx is a processing accelerator, 0x0580 and 0x1180 what shells call themselves;
   * other Xilinx functions are somebody's own design. */
  const char *dot = strrchr(bdf, '.');
  out->function = dot != NULL ? dot[1] - '0' : 0;
  snprintf(out->bdf, sizeof out->bdf, "%s", bdf);
  if (join(path, folder, "driver")) {
    const ssize_t length = readlink(path, text, sizeof text - 1);
    if (length > 0) {
      text[length] = '\0';
      const char *slash = strrchr(text, '/');
      snprintf(out->driver, sizeof out->driver, "%.60s",
               slash != NULL ? slash + 1 : text);
    }
  }
  if (entry_of(name, sizeof name, folder, "rom.") && join(path, folder, name)) {
    char rom[PathBytes];
    if (join(rom, path, "VBNV")) (void)first_line(out->shell, sizeof out->shell, rom);
  }
  if (join(path, folder, "drm") && entry_of(name, sizeof name, path, "renderD")) {
    snprintf(out->node, sizeof out->node, "%.60s", name);
  }
  return 1;
}

static int by_bdf(const void *a, const void *b) {
  return strcmp(((const card *)a)->bdf, ((const card *)b)->bdf);
}

static int read_cards(card *out, const char *root) {
  char pci[PathBytes];
  int count = 0;
  snprintf(pci, sizeof pci, "%s/sys/bus/pci/devices", root);
  DIR *list = opendir(pci);
  if (list == NULL) return 0;
  for (struct dirent *e = readdir(list); e != NULL && count < Cards; e = readdir(list)) {
    if (e->d_name[0] != '.' && strlen(e->d_name) < sizeof out->bdf) {
      count += read_card(&out[count], pci, e->d_name);
    }
  }
  closedir(list);
  qsort(out, (size_t)count, sizeof *out, by_bdf);
  return count;
}

static void look_at_user_function(systole_findings *all, const char *root,
                                  const card *c) {
  char name[48], path[PathBytes];
  snprintf(name, sizeof name, "card %.31s", c->bdf);
  if (c->driver[0] == '\0') {
    systole_find(
        all, name, SYSTOLE_FINDING_NOTE,
        "sudo modprobe xocl (it comes with XRT's dkms package; after a new kernel: "
        "sudo dkms autoinstall)",
        "no driver has taken the card");
  } else if (strcmp(c->driver, "xocl") != 0) {
    systole_find(all, name, SYSTOLE_FINDING_NOTE,
                 "xocl serves XRT's shells; another driver is for another design",
                 "driver %s", c->driver);
  } else {
    systole_find(all, name, SYSTOLE_FINDING_GOOD, "", "driver xocl, shell %s",
                 c->shell[0] != '\0' ? c->shell : "not told");
  }
  if (c->node[0] == '\0') {
    if (strcmp(c->driver, "xocl") == 0) {
      systole_find(all, name, SYSTOLE_FINDING_NOTE,
                   "sudo xbutil reset --device BDF, and dmesg | grep xocl for the reason",
                   "the driver has made no /dev/dri/renderD*");
    }
    return;
  }
  snprintf(path, sizeof path, "%s/dev/dri/%s", root, c->node);
  if (access(path, R_OK | W_OK) == 0) {
    systole_find(all, name, SYSTOLE_FINDING_GOOD, "", "/dev/dri/%s may be used", c->node);
  } else {
    systole_find(all, name, SYSTOLE_FINDING_NOTE,
                 errno == EACCES
                     ? "sudo usermod -aG render,video $USER, then log in again"
                     : "sudo udevadm trigger",
                 "/dev/dri/%s may not be used (%s)", c->node, strerror(errno));
  }
}

static void look_at_management(systole_findings *all, const card *c) {
  char name[48];
  snprintf(name, sizeof name, "card %.31s", c->bdf);
  if (strcmp(c->driver, "xclmgmt") == 0) {
    systole_find(all, name, SYSTOLE_FINDING_GOOD, "", "driver xclmgmt, shell %s",
                 c->shell[0] != '\0' ? c->shell : "not told");
  } else {
    systole_find(all, name, SYSTOLE_FINDING_NOTE, "sudo modprobe xclmgmt",
                 "the managing function has %s%s: its shell cannot be changed here",
                 c->driver[0] != '\0' ? "driver " : "no driver", c->driver);
  }
}

/* A card's management function is .0 and its user function .1; a golden image and a
 * freshly unpacked card have only the first. */
static void look_at_cards(systole_findings *all, const char *root, const card *cards,
                          int count) {
  int users = 0;
  for (int i = 0; i < count; i++) {
    if (cards[i].function == 0) {
      look_at_management(all, &cards[i]);
    } else {
      look_at_user_function(all, root, &cards[i]);
      users++;
    }
  }
  if (count == 0) {
    systole_find(
        all, "Alveo card", SYSTOLE_FINDING_NOTE,
        "if there is one: lspci -d 10ee: must show it; power plug, slot and a cold "
        "start (docs/alveo.md)",
        "none on this machine's PCIe bus");
  } else if (users == 0) {
    systole_find(
        all, "Alveo card", SYSTOLE_FINDING_NOTE,
        "sudo xbmgmt program --base --device BDF, then switch the machine off and "
        "on again",
        "only a managing function: the card has no shell yet, or needs a cold "
        "start");
  }
}

/* ---- xbutil ----------------------------------------------------------------------- */

static int find_xbutil(char *out, const char *root) {
  const char *path = getenv("PATH");
  char *copy = strdup(path != NULL ? path : ""), *rest = NULL;
  int found = 0;
  for (char *folder = copy != NULL ? strtok_r(copy, ":", &rest) : NULL;
       folder != NULL && !found; folder = strtok_r(NULL, ":", &rest)) {
    found = join(out, folder, "xbutil") && access(out, X_OK) == 0;
  }
  free(copy);
  if (!found) {
    snprintf(out, PathBytes, "%s/opt/xilinx/xrt/bin/xbutil", root);
    found = access(out, X_OK) == 0;
  }
  return found;
}

/* Lines of `xbutil examine` that matter: warnings, errors, and devices that are not
 * ready. */
static void look_at_xbutil(systole_findings *all, const char *root, int cards) {
  char program[PathBytes], command[PathBytes + 64], line[512];
  int complaints = 0, lines = 0;
  if (!find_xbutil(program, root)) {
    if (cards > 0) {
      systole_find(all, "xbutil", SYSTOLE_FINDING_NOTE,
                   "apt-get install libxrt-utils (Debian), or source "
                   "/opt/xilinx/xrt/setup.sh",
                   "not found: it tells a card's health and loads bitstreams");
    }
    return;
  }
  /* A name that a shell would take apart is not run. */
  if (strspn(program,
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+") !=
      strlen(program)) {
    systole_find(all, "xbutil", SYSTOLE_FINDING_NOTE, "", "%.200s was not asked",
                 program);
    return;
  }
  snprintf(command, sizeof command, "timeout 30 %s examine 2>&1 </dev/null", program);
  FILE *pipe = popen(command, "r");
  while (pipe != NULL && fgets(line, sizeof line, pipe) != NULL) {
    line[strcspn(line, "\r\n")] = '\0';
    lines++;
    char *from = line + strspn(line, " \t");
    const int bad = strncasecmp(from, "warning", 7) == 0 ||
                    strncasecmp(from, "error", 5) == 0 ||
                    (strstr(from, "[0") == from && strstr(from, "  No") != NULL);
    if (!bad || complaints == 4) continue;
    complaints++;
    systole_find(
        all, "xbutil", SYSTOLE_FINDING_NOTE,
        "xbutil validate --device BDF tells more; a hung card: sudo xbutil reset "
        "--device BDF",
        "%.250s", from);
  }
  const int status = pipe != NULL ? pclose(pipe) : -1;
  if (status != 0 && complaints == 0) {
    systole_find(all, "xbutil", SYSTOLE_FINDING_NOTE, "run it by hand: xbutil examine",
                 "%.150s examine ended with exit code %d", program,
                 status > 255 ? status >> 8 : status);
  } else if (complaints == 0) {
    systole_find(all, "xbutil", SYSTOLE_FINDING_GOOD, "",
                 "%.150s has no complaint (%d lines)", program, lines);
  }
}

/* ---- a bitstream ------------------------------------------------------------------ */

static void look_at_bitstream(systole_findings *all, const char *xclbin,
                              const card *cards, int count) {
  systole_bitstream paper;
  if (systole_bitstream_read(&paper, xclbin) != SYSTOLE_OK) {
    systole_find(all, "bitstream", SYSTOLE_FINDING_NOTE,
                 "copy file and passport again, or build them: scripts/build_xclbin",
                 "%.300s", systole_last_error());
    return;
  }
  if (!paper.has_passport) {
    systole_find(all, "bitstream", SYSTOLE_FINDING_NOTE,
                 "scripts/build_xclbin writes one; a simulated card's file has none",
                 "%.200s has no passport", xclbin);
    return;
  }
  systole_find(all, "bitstream", SYSTOLE_FINDING_GOOD, "",
               "%d x %d for %s, %.0f MHz, commit %.12s; the file is that of its passport",
               paper.geometry.dim, paper.geometry.dim, paper.platform, paper.clock_mhz,
               paper.commit);
  for (int i = 0; i < count; i++) {
    if (cards[i].function == 0 || cards[i].shell[0] == '\0') continue;
    char name[48];
    snprintf(name, sizeof name, "card %.31s", cards[i].bdf);
    if (systole_bitstream_fits(&paper, cards[i].shell)) {
      systole_find(all, name, SYSTOLE_FINDING_GOOD, "", "its shell is the bitstream's");
    } else {
      systole_find(all, name, SYSTOLE_FINDING_NOTE,
                   "sudo xbmgmt program --base --device BDF, or build for this shell",
                   "shell %.80s; the bitstream is for %.80s", cards[i].shell,
                   paper.shell);
    }
  }
}

void systole_doctor_xrt(systole_findings *all, const char *root, const char *xclbin) {
  card cards[Cards];
  look_at_library(all, root);
  look_at_environment(all, root);
  const int count = read_cards(cards, root);
  look_at_cards(all, root, cards, count);
  look_at_xbutil(all, root, count);
  if (xclbin != NULL) look_at_bitstream(all, xclbin, cards, count);
}
