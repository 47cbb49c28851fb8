"""alpamayo_ros: a reasoning driving model behind four camera topics and odometry.

The generated messages (`alpamayo_ros.msg`) live in the install prefix, this source beside them or in a
checkout; `extend_path` joins the two halves of the one package name.
"""

from pkgutil import extend_path

__path__ = extend_path(__path__, __name__)
__version__ = "0.1.0"
