#include "report/folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "story.h"

struct systole_folder {
  char *final;
  char *place;
  int existed;
};

static char *join(const char *folder, const char *name) {
  char *path = NULL;
  return asprintf(&path, "%s/%s", folder, name) < 0 ? NULL : path;
}

/* Folders here are two levels deep; a link is removed, never followed. */
static void remove_tree(const char *path) {
  DIR *folder = opendir(path);
  if (folder != NULL) {
    struct dirent *entry;
    while ((entry = readdir(folder)) != NULL) {
      if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
      char *inner = join(path, entry->d_name);
      struct stat status;
      if (inner != NULL && lstat(inner, &status) == 0) {
        if (S_ISDIR(status.st_mode)) {
          remove_tree(inner);
        } else {
          unlink(inner);
        }
      }
      free(inner);
    }
    closedir(folder);
  }
  rmdir(path);
}

static int make_parents(char *path) {
  for (char *slash = strchr(path + 1, '/'); slash != NULL;
       slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    const int failed = mkdir(path, 0777) != 0 && errno != EEXIST;
    *slash = '/';
    if (failed) return -1;
  }
  return 0;
}

static void folder_free(systole_folder *folder) {
  free(folder->place);
  free(folder->final);
  free(folder);
}

int systole_folder_open(systole_folder **out, const char *path) {
  int code = 0;
  struct stat status;
  *out = NULL;
  systole_folder *folder = calloc(1, sizeof *folder);
  if (folder == NULL)
    return systole_story_errno(ENOMEM, "cannot make the folder %s", path);
  folder->final = strdup(path[0] != '\0' ? path : ".");
  if (folder->final == NULL) {
    code = systole_story_errno(ENOMEM, "cannot make the folder %s", path);
    goto done;
  }
  size_t length = strlen(folder->final);
  while (length > 1 && folder->final[length - 1] == '/') folder->final[--length] = '\0';

  if (stat(folder->final, &status) == 0) {
    if (!S_ISDIR(status.st_mode)) {
      code =
          systole_story(SYSTOLE_EXIT_USAGE,
                        "cannot write into %s: it is a file, not a folder; give another "
                        "--out",
                        path);
      goto done;
    }
    folder->existed = 1;
    if (asprintf(&folder->place, "%s/.systole-XXXXXX", folder->final) < 0)
      folder->place = NULL;
  } else {
    if (make_parents(folder->final) != 0) {
      code = systole_story_errno(errno, "cannot make the folder %s", path);
      goto done;
    }
    if (asprintf(&folder->place, "%s.systole-XXXXXX", folder->final) < 0)
      folder->place = NULL;
  }
  if (folder->place == NULL) {
    code = systole_story_errno(ENOMEM, "cannot make the folder %s", path);
  } else if (mkdtemp(folder->place) == NULL) {
    code = systole_story_errno(errno, "cannot write into the folder %s", path);
  } else {
    const mode_t mask = umask(0);
    umask(mask);
    if (chmod(folder->place, 0777 & ~mask) != 0) {
      code = systole_story_errno(errno, "cannot write into the folder %s", path);
      rmdir(folder->place);
    }
  }

done:
  if (code != 0) {
    folder_free(folder);
    return code;
  }
  *out = folder;
  return 0;
}

const char *systole_folder_place(const systole_folder *folder) { return folder->place; }

int systole_folder_inside(systole_folder *folder, const char *name) {
  char *path = join(folder->place, name);
  int code = 0;
  if (path == NULL) {
    code = systole_story_errno(ENOMEM, "cannot make a folder");
  } else if (mkdir(path, 0777) != 0) {
    code = systole_story_errno(errno, "cannot make the folder %s", path);
  }
  free(path);
  return code;
}

static int move_into(const char *from, const char *to) {
  int code = 0;
  DIR *folder = opendir(from);
  if (folder == NULL)
    return systole_story_errno(errno, "cannot move the results to %s", to);
  struct dirent *entry;
  while (code == 0 && (entry = readdir(folder)) != NULL) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    char *source = join(from, entry->d_name), *target = join(to, entry->d_name);
    struct stat status;
    if (source == NULL || target == NULL) {
      code = systole_story_errno(ENOMEM, "cannot move the results to %s", to);
    } else if (lstat(source, &status) == 0 && S_ISDIR(status.st_mode)) {
      if (mkdir(target, 0777) != 0 && errno != EEXIST) {
        code = systole_story_errno(errno, "cannot make the folder %s", target);
      } else {
        code = move_into(source, target);
      }
    } else if (rename(source, target) != 0) {
      code = systole_story_errno(errno, "cannot write %s", target);
    }
    free(target);
    free(source);
  }
  closedir(folder);
  return code;
}

int systole_folder_commit(systole_folder *folder) {
  int code = 0;
  if (folder->existed) {
    code = move_into(folder->place, folder->final);
    remove_tree(folder->place);
  } else if (rename(folder->place, folder->final) != 0) {
    code = systole_story_errno(errno, "cannot make the folder %s", folder->final);
    remove_tree(folder->place);
  }
  folder_free(folder);
  return code;
}

void systole_folder_discard(systole_folder *folder) {
  if (folder == NULL) return;
  remove_tree(folder->place);
  folder_free(folder);
}
