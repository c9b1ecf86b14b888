# Plays Vivado for package_kernel.tcl and prints what it was told, one fact a line:
#   tclsh stubs.tcl package_kernel.tcl
# Only the commands and options that the script needs exist, so a misspelt one is an error, and
# every file must be there. scripts/build_xclbin and the tests read the output.
set objects 0
array set property {}

proc fact {args} { puts [join $args \t] }
proc take {words allowed} {
  # Options with a value, flags (ending in !) and what is left over.
  set result [dict create rest {}]
  for {set i 0} {$i < [llength $words]} {incr i} {
    set word [lindex $words $i]
    if {[string index $word 0] eq "-"} {
      if {[lsearch -exact $allowed $word!] >= 0} {
        dict set result $word 1
      } elseif {[lsearch -exact $allowed $word] >= 0} {
        incr i
        if {$i >= [llength $words]} { error "$word has no value" }
        dict set result $word [lindex $words $i]
      } else {
        error "unknown option $word"
      }
    } else {
      dict lappend result rest $word
    }
  }
  return $result
}
proc object {kind name} {
  global objects property
  set id "@$kind[incr objects]"
  set property($id,NAME) $name
  set property($id,kind) $kind
  return $id
}
proc name_of {id} {
  global property
  if {![info exists property($id,NAME)]} { error "$id is no object" }
  return $property($id,NAME)
}
proc only {options count} {
  if {[llength [dict get $options rest]] != $count} { error "wrong number of words: $options" }
  return [dict get $options rest]
}

proc create_project {args} {
  set o [take $args {-force! -part}]
  lassign [only $o 2] name folder
  fact part [dict get $o -part]
}
proc add_files {args} {
  set o [take $args {-norecurse!}]
  foreach file [only $o 1] {
    if {![file isfile $file]} { error "add_files: $file is not there" }
    fact file $file
  }
}
proc current_fileset {} { global fileset; return $fileset }
proc update_compile_order {args} { only [take $args {-fileset}] 0 }
proc close_project {args} { only [take $args {-delete!}] 0 }
proc get_property {name id} { global property; return $property($id,$name) }
proc set_property {name value id} {
  global property
  name_of $id
  set property($id,$name) $value
  fact property $property($id,kind) [name_of $id] $name $value
}

namespace eval ipx {
  proc package_project {args} {
    set o [take $args {-root_dir -vendor -library -taxonomy -import_files! -set_current}]
    fact package [dict get $o -vendor] [dict get $o -library] [dict get $o -taxonomy]
  }
  proc unload_core {file} {}
  proc edit_ip_in_project {args} { only [take $args {-upgrade -name -directory}] 1 }
  proc current_core {} { global core; return $core }
  proc get_user_parameters {args} {
    take $args {-of_objects}
    global leftover
    return $leftover
  }
  proc remove_user_parameter {name core} { fact removed $name }
  proc associate_bus_interfaces {args} {
    set o [take $args {-busif -clock}]
    fact bus [dict get $o -busif] [dict get $o -clock]
  }
  proc add_memory_map {args} {
    lassign [only [take $args {-quiet!}] 2] name core
    fact map $name
    return [object map $name]
  }
  proc get_bus_interfaces {args} {
    return [object bus [lindex [only [take $args {-of_objects}] 1] 0]]
  }
  proc add_address_block {args} {
    lassign [only [take $args {-quiet!}] 2] name map
    return [object block $name]
  }
  proc add_register {args} {
    lassign [only [take $args {-quiet!}] 2] name block
    return [object register $name]
  }
  proc add_field {name register} { return [object field [name_of $register].$name] }
  proc add_register_parameter {name register} {
    return [object parameter [name_of $register].$name]
  }
  proc create_xgui_files {core} {}
  proc update_checksums {core} {}
  proc check_integrity {args} { only [take $args {-kernel!}] 1 }
  proc save_core {core} { fact saved [name_of $core] }
}
proc package_xo {args} {
  set o [take $args {-force! -xo_path -kernel_name -ip_directory -ctrl_protocol}]
  only $o 0
  fact xo [file tail [dict get $o -xo_path]] [dict get $o -kernel_name] [dict get $o -ctrl_protocol]
}

set core [object core core]
set fileset [object fileset sources_1]
set leftover [list [object user Dim]]
set argv0 [lindex $argv 0]
if {[catch {source $argv0} message]} {
  puts stderr "$argv0: $message"
  exit 1
}
