"""Where the package's own files are (config/, model/, launch/): in a checkout, or in the share of an installation."""

from __future__ import annotations

from pathlib import Path


def share() -> Path:
    """The directory that holds config/, model/ and launch/.

    Raises:
        FileNotFoundError: neither a checkout nor an installation on AMENT_PREFIX_PATH.
    """
    checkout = Path(__file__).resolve().parent.parent
    if (checkout / "package.xml").is_file() and (checkout / "config").is_dir():
        return checkout
    try:
        from ament_index_python.packages import get_package_share_directory

        return Path(get_package_share_directory("alpamayo_ros"))
    except Exception as error:
        raise FileNotFoundError(
            f"{checkout} is no checkout of alpamayo_ros and AMENT_PREFIX_PATH knows no installation ({error}); "
            "source the workspace's install/setup.bash"
        ) from None


def config(name: str) -> Path:
    """A file of config/."""
    return share() / "config" / name


def model(name: str) -> Path:
    """A checkpoint's folder in model/."""
    return share() / "model" / name
