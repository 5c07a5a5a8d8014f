//! The one command that installs the servers, in the words of the system at hand. Nothing here runs
//! it: that is the operator's to decide.

use super::place::is_root;

/// The one command that installs the servers on this system.
#[must_use]
pub fn install_command() -> String {
    let os_release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    install_command_for(&os_release, cfg!(target_os = "macos"), is_root())
}

fn install_command_for(os_release: &str, macos: bool, root: bool) -> String {
    if macos {
        return "brew install postgresql redis".to_owned();
    }
    let is = |name: &str| {
        os_release
            .lines()
            .filter(|line| line.starts_with("ID=") || line.starts_with("ID_LIKE="))
            .any(|line| line.split(['=', '"', ' ']).any(|word| word == name))
    };
    let command = if is("fedora") || is("rhel") || is("centos") {
        "dnf install postgresql-server redis"
    } else if is("alpine") {
        "apk add postgresql redis"
    } else if is("arch") {
        "pacman -S postgresql redis"
    } else if is("suse") || is("opensuse") {
        "zypper install postgresql-server redis"
    } else {
        "apt-get install postgresql redis-server"
    };
    if root {
        command.to_owned()
    } else {
        format!("sudo {command}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_system_is_told_its_own_command() {
        let debian = "NAME=\"Ubuntu\"\nID=ubuntu\nID_LIKE=debian\n";
        let rocky = "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n";
        let apt = "apt-get install postgresql redis-server";
        assert_eq!(install_command_for(debian, false, true), apt);
        assert_eq!(
            install_command_for(debian, false, false),
            format!("sudo {apt}")
        );
        let dnf = "dnf install postgresql-server redis";
        assert_eq!(install_command_for(rocky, false, true), dnf);
        assert_eq!(
            install_command_for("", true, false),
            "brew install postgresql redis"
        );
    }
}
