"""For pip (`pip install .`, without the messages). colcon obeys package.xml's build_type and never looks here."""

from pathlib import Path

from setuptools import find_packages, setup


def requirements(name: str) -> list[str]:
    lines = (Path(__file__).parent / "requirements" / f"{name}.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith(("#", "-r"))]


setup(
    name="alpamayo_ros",
    version="0.1.0",
    description="NVIDIA's Alpamayo driving model on ROS 2: four cameras and odometry in, a path and its reasoning out",
    license="Apache-2.0",
    packages=find_packages(include=["alpamayo_ros", "alpamayo_ros.*"]),
    package_data={"alpamayo_ros.report": ["*.html", "*.css", "*.js"]},
    python_requires=">=3.10",
    install_requires=requirements("run"),
    extras_require={
        "test": requirements("core") + requirements("test"),
        "replay": requirements("replay"),
        "alpasim": requirements("alpasim"),
        "cluster": ["ray>=2.50"],
        "physical_ai_av": ["physical_ai_av>=0.2.3"],
        "vla": ["torch>=2.4", "transformers>=4.57", "safetensors", "tokenizers"],
    },
    entry_points={"console_scripts": ["alpamayo_ros = alpamayo_ros.__main__:main"]},
)
