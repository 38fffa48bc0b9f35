# The names of this package, listed once: `bayes_mdd/cohort/__init__.py` loads them from here.

from .design import check_design as check_design
from .group_words import CONTROL_WORDS as CONTROL_WORDS
from .folder import Cohort as Cohort
from .folder import read_cohort as read_cohort
from .outcomes import read_outcomes as read_outcomes
from .participants import check_participants as check_participants
from .participants import read_participants as read_participants
from .role_table import assign_roles as assign_roles
from .role_table import summarise_roles as summarise_roles
from .scales import Alternative as Alternative
from .scales import available_scales as available_scales
from .scales import Dimension as Dimension
from .scales import Item as Item
from .scales import read_scale as read_scale
from .scales import Scale as Scale
from .scoring import score_items as score_items
from .scoring import score_scale as score_scale
from .tables import read_table as read_table
from .totals import score_total as score_total
from .visit_values import read_visits as read_visits

__all__: list[str]
